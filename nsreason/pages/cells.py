"""The parts of a table: headings, cells, rows and notes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

NONE = "–"
"""What stands in a cell without a value."""


@dataclass(frozen=True, slots=True)
class TableCell:
    """A value of a table."""

    text: str
    under: str = ""
    """A second line, smaller."""
    strong: bool = False
    """Bold on pages: the figure that the table is about."""
    best: bool = False
    """Marked as the best of its column or row."""
    shade: float | None = None
    """From 0 to 1: how deep the ground is coloured, on pages."""
    tooltip: str = ""
    """Shown on pages where the pointer rests on the cell."""
    muted: bool = False
    """Of no weight beside the others, as the diagonal of a matrix."""


@dataclass(frozen=True, slots=True)
class Heading:
    """What a column or row is about."""

    label: str
    under: str = ""
    """A second line, smaller."""
    align: Literal["left", "right"] = "right"
    """Of the column's values: numbers to the right, unbroken; words to the left, broken where they are too long."""
    series: int | None = None
    """The number of the plots' series whose mark stands before the label, on pages."""
    strong: bool = False
    """A total."""
    inner: bool = False
    """One of several that the total before it counts."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row; a text stands for a plain heading or cell."""

    head: Heading | str
    cells: tuple[TableCell | str, ...] = ()
    error: str | None = None
    """Stands in place of cells: why there are none."""
    ends_section: bool = False
    """A line is drawn below, in a terminal."""

    @property
    def heading(self) -> Heading:
        """The heading, also of a row that was given a text."""
        return as_heading(self.head)


@dataclass(frozen=True, slots=True)
class Note:
    """A line below a table."""

    text: str
    label: str = ""
    """What the note is about."""
    details: tuple[str, ...] = ()
    """Lines beneath it, such as examples."""


def as_heading(heading: Heading | str) -> Heading:
    """Turn a text into a plain heading."""
    return Heading(heading) if isinstance(heading, str) else heading


def as_cell(cell: TableCell | str) -> TableCell:
    """Turn a text into a plain cell."""
    return TableCell(cell) if isinstance(cell, str) else cell

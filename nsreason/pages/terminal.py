"""Tables for a terminal, drawn with rich: one that is too wide is transposed, or cut into parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .cells import Heading, Note, TableCell, TableRow

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from .tables import ReportTable

_GAP = 3  # columns of a terminal between two columns of a table


def draw(table: ReportTable, width: int) -> Iterator[RenderableType]:
    """Draw a table with its title, caption and notes, in so many columns of a terminal."""
    from rich.text import Text

    if table.title:
        yield Text(table.title, style="bold")
    for part in fitted(table, width):
        yield _grid(part)
    if table.caption:
        yield Text(table.caption, style="dim")
    if table.notes:
        yield _notes(table.notes)


# --- what fits ----------------------------------------------------------------------------------------------


def fitted(table: ReportTable, width: int) -> list[ReportTable]:
    """The table, or its transpose, or as many parts as it takes; words in columns of their own are broken instead."""
    if not table.columns or _width(table) <= width or any(h.align == "left" for h in table.headings):
        return [table]
    if table.transposable:
        other = _transpose(table)
        if other is not None and _width(other) <= width:
            return [other]
    parts: list[list[int]] = [[]]
    left = _first_column(table)
    for k in range(len(table.columns)):
        if parts[-1] and left + _column(table, k) > width:
            parts.append([])
            left = _first_column(table)
        parts[-1].append(k)
        left += _column(table, k)
    return [_select(table, part, errors=n == 0) for n, part in enumerate(parts)]


def _longest_word(text: str) -> int:
    return max((len(word) for word in text.split()), default=0)


def _column(table: ReportTable, k: int) -> int:
    """The columns of a terminal that a column needs when its heading is broken between words."""
    heading = table.headings[k]
    cells = [table.values(row)[k] for row in table.rows if row.error is None]
    lines = [len(line) for cell in cells for line in (cell.text, cell.under)]
    return max(_longest_word(heading.label), _longest_word(heading.under), *lines, 1) + _GAP


def _first_column(table: ReportTable) -> int:
    heads = [row.heading for row in table.rows]
    return max([len(table.corner), *(max(len(h.label), len(h.under)) for h in heads)]) + _GAP


def _width(table: ReportTable) -> int:
    return _first_column(table) + sum(_column(table, k) for k in range(len(table.columns)))


def _select(table: ReportTable, columns: Sequence[int], *, errors: bool) -> ReportTable:
    """Some columns of the table; rows without cells are left out unless `errors`."""
    rows = tuple(
        replace(row, cells=tuple(row.cells[k] for k in columns) if row.error is None else ())
        for row in table.rows
        if row.error is None or errors
    )
    return replace(table, columns=tuple(table.columns[k] for k in columns), rows=rows)


def _transpose(table: ReportTable) -> ReportTable | None:
    if any(row.error is not None for row in table.rows):
        return None
    rows = tuple(TableRow(head, tuple(row.cells[k] for row in table.rows)) for k, head in enumerate(table.columns))
    return replace(table, corner="", columns=tuple(row.head for row in table.rows), rows=rows)


# --- drawing ------------------------------------------------------------------------------------------------


def _grid(table: ReportTable) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    failed = [row for row in table.rows if row.error is not None]
    wraps = any(heading.align == "left" for heading in table.headings)
    grid = _empty(table.corner, wraps)
    if failed and (not table.columns or len(failed) == len(table.rows)):
        grid.add_column("")
    else:
        for heading in table.headings:
            words = heading.align == "left"
            overflow, justify = ("fold", "left") if words else ("ellipsis", "right")
            grid.add_column(_heading(heading), justify=justify, overflow=overflow, vertical="top")  # type: ignore[arg-type]
        for row in table.rows:
            if row.error is None:
                cells = map(_cell, table.values(row))
                grid.add_row(_heading(row.heading), *cells, end_section=row.ends_section)
    if not failed:
        return grid
    outer = Table.grid()
    if grid.rows:
        outer.add_row(grid)
    reasons = Table.grid(padding=(0, 2))
    for row in failed:
        reasons.add_row(_heading(row.heading), Text(f"failed: {row.error}", style="red", overflow="fold"))
    outer.add_row(reasons)
    return outer


def _empty(corner: str, wraps: bool) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, header_style="", padding=(0, 1), pad_edge=False, show_edge=False)
    grid.add_column(Text(corner, style="dim"), no_wrap=not wraps, overflow="fold")
    return grid


def _heading(heading: Heading) -> Text:
    from rich.text import Text

    text = Text("  " if heading.inner else "")
    text.append(heading.label, style="bold" if heading.strong else "")
    if heading.under:
        text.append(f"\n{heading.under}", style="dim")
    return text


def _cell(cell: TableCell) -> Text:
    from rich.text import Text

    text = Text(cell.text, style="bold green" if cell.best else "")
    if cell.under:
        text.append(f"\n{cell.under}", style="dim")
    return text


def _notes(notes: Sequence[Note]) -> Table:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    if not any(note.label for note in notes):
        grid.add_column(overflow="fold")
        for note in notes:
            grid.add_row(Text("\n".join([f"- {note.text}", *(f"    - {detail}" for detail in note.details)])))
        return grid
    grid.add_column(style="dim")
    grid.add_column(overflow="fold")
    for note in notes:
        grid.add_row(Text(note.label), Text("\n".join([note.text, *note.details])))
    return grid

"""Tables of reports, before they are drawn: the same one for a terminal, for Markdown and for a page.

    table = ReportTable(
        "question type",
        ("questions", "right"),
        (TableRow("count", ("120", "97")), TableRow(Heading("all", strong=True), ("200", "150"))),
        title="Accuracy",
        notes=(Note("12 questions/s", label="speed"),),
    )
    Console().print(table)             # fits itself into the width of the console
    "\n".join(table.markdown())

Every row begins with a heading of its own, below the heading `corner`. Texts are plain: each form escapes what it has
to. rich and jinja2 are imported when a table is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cells import NONE, Heading, Note, TableCell, TableRow, as_cell, as_heading
from .markdown import escape

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["NONE", "Heading", "Note", "ReportTable", "TableCell", "TableRow", "text_columns"]


@dataclass(frozen=True)
class ReportTable:
    """A table with its title and notes."""

    corner: str
    """The heading above the rows' headings."""
    columns: tuple[Heading | str, ...]
    rows: tuple[TableRow, ...]
    title: str = ""
    caption: str = ""
    """A sentence below the table: how its values are to be read."""
    notes: tuple[Note, ...] = ()
    key: str = ""
    """Names the table for links."""
    best_means: str = "best"
    """What the mark of the best says, to those who do not see it."""
    transposable: bool = False
    """Whether rows and columns may be exchanged to fit a narrow terminal."""

    @property
    def headings(self) -> tuple[Heading, ...]:
        """The columns' headings, also of those that were given as texts."""
        return tuple(map(as_heading, self.columns))

    def values(self, row: TableRow) -> tuple[TableCell, ...]:
        """The cells of a row, also of those that were given as texts."""
        return tuple(map(as_cell, row.cells))

    def markdown(self, *, titled: bool = True) -> list[str]:
        """Write the table as lines of Markdown.

        Args:
            titled: False leaves the title to the caller, who has a heading of the right level for it.
        """
        lines = [f"**{escape(self.title)}**", ""] if titled and self.title else []
        headings = self.headings
        lines.append(_markdown_row([escape(self.corner), *map(_markdown_heading, headings)]))
        lines.append("|---|" + "".join("---:|" if h.align == "right" else "---|" for h in headings))
        for row in self.rows:
            if row.error is not None:
                cells = [f"failed: {escape(row.error)}", *[""] * (len(headings) - 1)]
            else:
                cells = [_markdown_cell(cell) for cell in self.values(row)]
            lines.append(_markdown_row([_markdown_heading(row.heading), *cells]))
        if self.caption:
            lines += ["", escape(self.caption)]
        if self.notes:
            lines.append("")
        for note in self.notes:
            lines.append(f"- {escape(note.label)}: {escape(note.text)}" if note.label else f"- {escape(note.text)}")
            lines += [f"    - {escape(detail)}" for detail in note.details]
        return lines

    def html(self, *, split: int | None = None, css: str = "") -> str:
        """Write the table as an HTML element, without title, caption and notes.

        Args:
            split: a line is drawn before the column of this number.
            css: classes of the table.
        """
        from .templates import render

        return render("table.html", table=self, split=split, css=css)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from .terminal import draw

        yield from draw(self, options.max_width)


def text_columns(*labels: str) -> tuple[Heading, ...]:
    """Headings of columns that hold words."""
    return tuple(Heading(label, align="left") for label in labels)


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_heading(heading: Heading) -> str:
    name = escape(heading.label)
    name = f"**{name}**" if heading.strong else f"&nbsp;&nbsp;{name}" if heading.inner else name
    return f"{name} ({escape(heading.under)})" if heading.under else name


def _markdown_cell(cell: TableCell) -> str:
    text = f"**{escape(cell.text)}**" if cell.best else escape(cell.text)
    return f"{text} ({escape(cell.under)})" if cell.under else text

"""A comparison told in the terminal and in Markdown; `comparison_page` tells it with plots.

console.print(table(comparison))
path.write_text(to_markdown(comparison))
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from .results import Comparison, Example
from .statistics import Figures, figures_json
from .tables import Cell, Head, Row, Sheet, sheets
from .wording import NONE, about, cut, heading, interval, lead, notes, percent, reply, words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

__all__ = ["Told", "figures_json", "table", "to_markdown"]

_GAP = 3  # columns of a terminal between two columns of a table


def to_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown: its tables, examples and notes, without plots."""
    figures = Figures.of(comparison)
    lines = [f"# {_plain(heading(figures))}", "", _plain(lead(figures)), ""]
    lines += [f"- {what}: {_plain(value)}" for what, value in about(figures)]
    for sheet in sheets(figures):
        lines += ["", f"## {_plain(sheet.title)}", "", *_markdown(sheet)]
        if sheet.note:
            lines += ["", _plain(sheet.note)]
    if figures.examples:
        lines += ["", "## Where they differ"]
        for example in figures.examples:
            lines += ["", *_example(figures, example)]
    told = notes(figures)
    if told:
        lines += ["", "## Notes", "", *(f"- {_plain(note)}" for note in told)]
    lines += ["", "## Settings", "", *_settings(comparison)]
    return "\n".join([*lines, ""])


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    held = " ".join(text.split()).replace("&", "&amp;")
    for sign in "\\`*_<>[]|#":
        held = held.replace(sign, f"\\{sign}")
    return held


def _markdown(sheet: Sheet) -> list[str]:
    lines = ["| " + " | ".join([_plain(sheet.corner), *(_head(c) for c in sheet.columns)]) + " |"]
    lines.append("|---|" + "---:|" * len(sheet.columns))
    for row in sheet.rows:
        if row.error is not None:
            cells = [f"failed: {_plain(row.error)}", *[""] * (len(sheet.columns) - 1)]
        else:
            cells = [_text(c) for c in row.cells]
        lines.append("| " + " | ".join([_head(row.head), *cells]) + " |")
    return lines


def _head(head: Head) -> str:
    name = _plain(head.label)
    name = f"**{name}**" if head.strong else f"&nbsp;&nbsp;{name}" if head.inner else name
    return f"{name} ({_plain(head.under)})" if head.under else name


def _text(cell: Cell) -> str:
    if cell.score is None:
        return f"{_plain(cell.text)} ({_plain(cell.under)})" if cell.under else _plain(cell.text)
    value = percent(cell.score.accuracy)
    return f"{f'**{value}**' if cell.best else value} ({interval(cell.score)})"


def _example(figures: Figures, example: Example) -> list[str]:
    question = figures.comparison.queries[example.place]
    text = question.text or f"question {question.index}"
    answer = NONE if question.answer is None else cut(question.answer)
    lines = [
        f"**{_plain(text)}** {_plain(question.type.strip())}, question {question.index}; right: **{_plain(answer)}**"
    ]
    lines.append("")
    for r in figures.working:
        said, score, right = reply(figures, r.run, example.place)
        lines.append(
            f"- {'✓' if right else '✗'} {_plain(r.run.reasoner)}: {_plain(cut(said))}{score and f' ({score})'}"
        )
    for what in (example.told, example.trace):
        if what:
            ticks = max((len(run) for run in re.findall("`+", what)), default=0)
            fence = "`" * max(3, ticks + 1)  # longer than any in the text, so that the text cannot end it
            lines += ["", fence, *what.splitlines(), fence]
    return lines


def _settings(comparison: Comparison) -> list[str]:
    return [f"- {_plain(str(k))}: {_plain(words(v))}" for k, v in comparison.settings.items()]


# --- the terminal -------------------------------------------------------------------------------------------


def table(comparison: Comparison) -> Told:
    """The comparison for the terminal: accuracy by type, all runs, notes; the rest is for Markdown and the page."""
    return Told(Figures.of(comparison))


_BRIEF = ("accuracy", "cost", "runs")  # what a terminal shows


class Told:
    """A rich renderable that fits its tables into the console: what is too wide is turned, or cut into parts."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        yield Text(heading(self.figures), style="bold")
        yield Text(", ".join(f"{what} {value}" for what, value in about(self.figures)), style="dim")
        yield Text(lead(self.figures))
        found = sheets(self.figures)
        keys = {sheet.key for sheet in found}
        for sheet in found:
            if sheet.key not in _BRIEF or (sheet.key == "cost" and "runs" in keys):
                continue  # the table of runs says the same of each run
            yield Text(f"\n{sheet.title}", style="bold")
            for part in _parts(sheet, options.max_width):
                yield _rich(part)
            if sheet.note:
                yield Text(sheet.note, style="dim")
        told = notes(self.figures)
        if told:
            yield Text("\nNotes", style="bold")
        for note in told:
            yield Text(f"- {note}")


def _wide(text: str) -> int:
    """Columns that a text needs when it is broken between words."""
    return max((len(word) for word in text.split()), default=0)


def _column(sheet: Sheet, k: int) -> int:
    head = sheet.columns[k]
    held = [_lines(row.cells[k]) for row in sheet.rows if row.error is None]
    return max(_wide(head.label), _wide(head.under), *(len(line) for pair in held for line in pair), 1) + _GAP


def _width(sheet: Sheet) -> int:
    return _first(sheet) + sum(_column(sheet, k) for k in range(len(sheet.columns)))


def _first(sheet: Sheet) -> int:
    return max([len(sheet.corner), *(max(len(r.head.label), len(r.head.under)) for r in sheet.rows)]) + _GAP


def _parts(sheet: Sheet, width: int) -> list[Sheet]:
    """The sheet, or its columns and rows exchanged, or as many parts as it takes."""
    if _width(sheet) <= width or not sheet.columns:
        return [sheet]
    turned = _turned(sheet)
    if turned is not None and _width(turned) <= width:
        return [turned]
    parts: list[list[int]] = [[]]
    left = _first(sheet)
    for k in range(len(sheet.columns)):
        if parts[-1] and left + _column(sheet, k) > width:
            parts.append([])
            left = _first(sheet)
        parts[-1].append(k)
        left += _column(sheet, k)
    return [_only(sheet, part, failures=n == 0) for n, part in enumerate(parts)]


def _only(sheet: Sheet, columns: Sequence[int], *, failures: bool) -> Sheet:
    rows = tuple(
        Row(r.head, tuple(r.cells[k] for k in columns) if r.error is None else (), r.error)
        for r in sheet.rows
        if r.error is None or failures
    )
    return Sheet(sheet.key, sheet.title, sheet.corner, tuple(sheet.columns[k] for k in columns), rows)


def _turned(sheet: Sheet) -> Sheet | None:
    if any(r.error is not None for r in sheet.rows) or sheet.key == "runs":
        return None
    rows = tuple(Row(head, tuple(r.cells[k] for r in sheet.rows)) for k, head in enumerate(sheet.columns))
    return Sheet(sheet.key, sheet.title, "", tuple(r.head for r in sheet.rows), rows)


def _lines(cell: Cell) -> tuple[str, str]:
    if cell.score is None:
        return cell.text, cell.under
    return percent(cell.score.accuracy), interval(cell.score)


def _rich(sheet: Sheet) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, header_style="", padding=(0, 1), pad_edge=False, show_edge=False)
    made.add_column(Text(sheet.corner, style="dim"), no_wrap=True)
    for head in sheet.columns:
        made.add_column(_told(head, "\n"), justify="right", vertical="top")
    for row in sheet.rows:
        if row.error is None:
            made.add_row(_told(row.head, "\n"), *(_shown(c) for c in row.cells))
    failed = [row for row in sheet.rows if row.error is not None]
    if not failed:
        return made
    if not sheet.columns or len(failed) == len(sheet.rows):
        made = Table(box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False, show_edge=False)
        made.add_column(Text(sheet.corner, style="dim"), no_wrap=True)
        made.add_column("")
    outer = Table.grid()
    if made.rows:
        outer.add_row(made)
    grid = Table.grid(padding=(0, 2))
    for row in failed:
        grid.add_row(_told(row.head, "\n"), Text(f"failed: {row.error}", style="red", overflow="fold"))
    outer.add_row(grid)
    return outer


def _told(head: Head, between: str) -> Text:
    from rich.text import Text

    made = Text("  " if head.inner else "")
    made.append(head.label, style="bold" if head.strong else "")
    if head.under:
        made.append(between + head.under, style="dim")
    return made


def _shown(cell: Cell) -> Text:
    from rich.text import Text

    value, under = _lines(cell)
    made = Text(value, style="" if not cell.best else "bold green")
    if under:
        made.append(f"\n{under}", style="dim")
    return made

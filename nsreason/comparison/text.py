"""A comparison in the terminal and in Markdown; `comparison.html` has it with plots.

console.print(ComparisonTable(comparison))
path.write_text(to_markdown(comparison))
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..pages.markdown import code_block, escape
from ..pages.tables import NONE
from .results import ComparedExample, Comparison
from .statistics import Figures
from .tables import tables
from .wording import about, cut, heading, lead, notes, reply, words

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

__all__ = ["ComparisonTable", "to_markdown"]


def to_markdown(comparison: Comparison) -> str:
    """The comparison as Markdown: its tables, examples and notes, without plots."""
    figures = Figures.of(comparison)
    lines = [f"# {escape(heading(figures))}", "", escape(lead(figures)), ""]
    lines += [f"- {what}: {escape(value)}" for what, value in about(figures)]
    for table in tables(figures):
        lines += ["", f"## {escape(table.title)}", "", *table.markdown(titled=False)]
    if figures.examples:
        lines += ["", "## Where they differ"]
        for example in figures.examples:
            lines += ["", *_example(figures, example)]
    if remarks := notes(figures):
        lines += ["", "## Notes", "", *(f"- {escape(note)}" for note in remarks)]
    lines += ["", "## Settings", "", *_settings(comparison)]
    return "\n".join([*lines, ""])


def _example(figures: Figures, example: ComparedExample) -> list[str]:
    question = figures.comparison.queries[example.place]
    text = question.text or f"question {question.index}"
    answer = NONE if question.answer is None else cut(question.answer)
    lines = [
        f"**{escape(text)}** {escape(question.type.strip())}, question {question.index}; right: **{escape(answer)}**"
    ]
    lines.append("")
    for r in figures.working:
        said, score, right = reply(figures, r.run, example.place)
        lines.append(
            f"- {'✓' if right else '✗'} {escape(r.run.reasoner)}: {escape(cut(said))}{score and f' ({score})'}"
        )
    for what in (example.story, example.trace):
        if what:
            lines += ["", *code_block(what)]
    return lines


def _settings(comparison: Comparison) -> list[str]:
    return [f"- {escape(str(k))}: {escape(words(v))}" for k, v in comparison.settings.items()]


# --- the terminal -------------------------------------------------------------------------------------------

_BRIEF = ("accuracy", "metrics", "cost", "runs")  # what a terminal shows


@dataclass(frozen=True)
class ComparisonTable:
    """A comparison as a rich renderable: accuracy by type, all runs, notes; Markdown and the page have the rest."""

    comparison: Comparison

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.text import Text

        figures = Figures.of(self.comparison)
        yield Text(heading(figures), style="bold")
        yield Text(", ".join(f"{what} {value}" for what, value in about(figures)), style="dim")
        yield Text(lead(figures))
        every = tables(figures)
        keys = {table.key for table in every}
        for table in every:
            if table.key not in _BRIEF or (table.key == "cost" and "runs" in keys):
                continue  # the table of runs says the same of each run
            yield Text("")
            yield table
        remarks = notes(figures)
        if remarks:
            yield Text("\nNotes", style="bold")
        for remark in remarks:
            yield Text(f"- {remark}")

"""One table in a terminal, in Markdown and on a page: the same values, and text that stays text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from nsreason.pages.markdown import code_block, escape
from nsreason.pages.tables import Heading, Note, ReportTable, TableCell, TableRow, text_columns
from nsreason.pages.templates import cut

TABLE = ReportTable(
    "reasoner",
    (Heading("all", strong=True), "count"),
    (
        TableRow("exact", (TableCell("100.0", "51.0–100.0", strong=True, tooltip="4 of 4 right"), "99.0")),
        TableRow(Heading("lstm", "20 questions", inner=True), (TableCell("50.0", best=True), TableCell("–"))),
        TableRow("mlp", error="no | such <b>"),
    ),
    title="Accuracy",
    caption="Per cent.",
    notes=(Note("12 questions/s", label="speed"), Note("two", details=("first_one", "second"))),
)


def printed(table: ReportTable, width: int) -> str:
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    return stream.getvalue()


def test_markdown() -> None:
    assert TABLE.markdown() == [
        "**Accuracy**",
        "",
        "| reasoner | **all** | count |",
        "|---|---:|---:|",
        "| exact | 100.0 (51.0–100.0) | 99.0 |",
        "| &nbsp;&nbsp;lstm (20 questions) | **50.0** | – |",
        r"| mlp | failed: no \| such \<b\> |  |",
        "",
        "Per cent.",
        "",
        "- speed: 12 questions/s",
        "- two",
        r"    - first\_one",
        "    - second",
    ]
    assert TABLE.markdown(titled=False)[0].startswith("| reasoner")


def test_columns_of_words_stand_to_the_left() -> None:
    table = ReportTable("domain", (*text_columns("what it is"), "values"), (TableRow("clevr", ("things", "15")),))
    assert table.markdown()[1] == "|---|---|---:|"


def test_a_terminal_has_title_values_caption_and_notes() -> None:
    lines = printed(TABLE, 80).splitlines()
    assert lines[0] == "Accuracy" and lines[1].split() == ["reasoner", "all", "count"]
    text = "\n".join(lines)
    for part in ("100.0", "51.0–100.0", "  lstm", "20 questions", "failed: no | such <b>", "Per cent.", "speed"):
        assert part in text
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("width", [30, 50])
def test_a_wide_table_is_cut_into_parts_and_loses_nothing(width: int) -> None:
    columns = tuple(f"column-{k}" for k in range(6))
    table = ReportTable("row", columns, (TableRow("a", tuple(f"{k}.5" for k in range(6))), TableRow("b", error="lost")))
    text = printed(table, width)
    assert max(map(len, text.splitlines())) <= width
    assert all(text.count(f"column-{k}") == 1 and text.count(f"{k}.5") == 1 for k in range(6))
    assert text.count("failed: lost") == 1


def test_a_wide_table_is_transposed_where_it_may_be() -> None:
    columns = tuple(f"column-{k}" for k in range(6))
    rows = (TableRow("a", tuple("123456")), TableRow("b", tuple("567890")))
    text = printed(ReportTable("row", columns, rows, transposable=True), 30)
    assert [line.split() for line in text.splitlines() if line.startswith("column-5")] == [["column-5", "6", "0"]]


def test_a_page_has_the_same_values_escaped() -> None:
    text = TABLE.html(split=1, css="heat")
    assert '<table class="heat few">' in text and 'aria-label="Accuracy"' in text
    assert '<td class="strong" title="4 of 4 right"><b>100.0</b><span class="under">51.0–100.0</span></td>' in text
    assert '<td class="strong best">50.0<span class="vh"> best</span></td>' in text
    assert '<td class="split">–</td>' in text
    assert '<td class="error" colspan="2">failed: no | such &lt;b&gt;</td>' in text


def test_signs_of_markdown_are_escaped_and_fences_are_long_enough() -> None:
    assert escape("a\n`b` & <c> | *d* _e_ [f] #g \\") == r"a \`b\` &amp; \<c\> \| \*d\* \_e\_ \[f\] \#g \\"
    assert code_block("a\n```` b") == ["`````", "a", "```` b", "`````"] and code_block("x") == ["```", "x", "```"]
    assert cut("a" * 61).endswith("a…") and len(cut("a" * 61)) == 60 and cut("a") == "a"

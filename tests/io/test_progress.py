"""The bar of a long call: what it shows on a terminal, and nothing elsewhere."""

from __future__ import annotations

import io
import re

from rich.console import Console

from nsreason.io.progress import progress_bar


def test_a_bar_counts_and_begins_anew() -> None:
    stream = io.StringIO()
    with progress_bar("images", console=Console(file=stream, force_terminal=True, width=100)) as bar:
        bar.begin("first", total=10)
        bar.show(3, 10, detail="loss 0.5")
        bar.begin("second", done=2, total=5)
        bar.show(4, 5)
    last = re.sub(r"\x1b\[[^a-zA-Z]*[a-zA-Z]", "", stream.getvalue()).strip().splitlines()[-1]
    assert last.startswith("second") and "4/5 images" in last and "loss" not in last


def test_nothing_is_drawn_where_there_is_no_terminal() -> None:
    stream = io.StringIO()
    with progress_bar("images", console=Console(file=stream)) as bar:
        bar.show(3, 10)
    assert stream.getvalue().strip() == ""

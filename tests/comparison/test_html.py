"""The page of a comparison: well-formed, complete, free of network access, and safe against hostile text."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from nsreason.comparison.html import page
from nsreason.comparison.results import ComparedExample, ComparedQuestion, Comparison, ReasonerRun
from nsreason.comparison.statistics import Figures
from nsreason.comparison.wording import interval, percent
from nsreason.scenes.scene import Scene
from nsreason.traces.scene_plan import plan
from tests.support import comparisons

VOID = {"meta", "link", "br", "hr", "img", "input"}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


class Dom(HTMLParser):
    """Collect elements with their attributes and texts; raise on a wrong end tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str], list[str]]] = []
        self.elements: list[tuple[str, dict[str, str], list[str]]] = []
        self.feed(text)
        self.close()
        assert not self.open, f"never ended: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = (tag, {k: v or "" for k, v in attrs}, [""])
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {k: v or "" for k, v in attrs}, [""]))

    def handle_endtag(self, tag: str) -> None:
        assert self.open and self.open.pop()[0] == tag, f"</{tag}> ends something else"

    def handle_data(self, data: str) -> None:
        for _, _, texts in self.open:
            texts[0] += data

    def of(self, tag: str, css: str = "") -> list[str]:
        return [
            t[0]
            for name, given, t in self.elements
            if name == tag and (not css or css in given.get("class", "").split())
        ]


@pytest.fixture(scope="module", params=list(comparisons.ALL))
def comparison_and_page(request: pytest.FixtureRequest) -> tuple[Comparison, str]:
    comparison = comparisons.ALL[request.param]()
    return comparison, page(comparison)


def test_elements_end_where_they_should_and_ids_are_unique(comparison_and_page: tuple[Comparison, str]) -> None:
    dom = Dom(comparison_and_page[1])
    ids = [given["id"] for _, given, _ in dom.elements if "id" in given]
    assert len(ids) == len(set(ids)) and dom.of("h1")


def test_nothing_is_loaded_and_nothing_runs(comparison_and_page: tuple[Comparison, str]) -> None:
    text = comparison_and_page[1]
    assert "http:" not in text and "https:" not in text and "//" not in re.sub(r"/\*.*?\*/", "", text)
    dom = Dom(text)
    assert not {tag for tag, _, _ in dom.elements} & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for _, given, _ in dom.elements:
        assert not [k for k in given if k.startswith("on") or k in ("src", "href", "xlink:href")]
    (policy,) = [g["content"] for t, g, _ in dom.elements if t == "meta" and "http-equiv" in g]
    assert policy.startswith("default-src 'none'") and "script-src" not in policy


def test_every_run_and_type_is_there(comparison_and_page: tuple[Comparison, str]) -> None:
    comparison, text = comparison_and_page
    dom = Dom(text)
    cells = dom.of("th")
    for run in comparison.runs:
        assert any(c.startswith(run.reasoner) for c in cells)
        assert run.failure is None or f"failed: {run.failure}" in dom.of("td", "error")
    figures = Figures.of(comparison)
    for kinds in figures.types.values():
        for kind in kinds if figures.working else ():
            assert any(kind.strip() in c for c in cells)


def test_scores_stand_with_their_intervals(comparison_and_page: tuple[Comparison, str]) -> None:
    comparison, text = comparison_and_page
    cells = {t.replace("best without exact programs", "").replace(" ", "") for t in Dom(text).of("td")}
    for r in Figures.of(comparison).working:
        for score in (r.overall, *r.types.values(), *r.groups.values(), *r.within.values()):
            assert f"{percent(score.accuracy)}{interval(score)}" in cells


def test_numbers_of_all_runs_are_on_the_page() -> None:
    figures = Figures.of(comparisons.clevr())
    cells = {
        t.replace("best without exact programs", "").replace(" ", "") for t in Dom(page(figures.comparison)).of("td")
    }
    for r in figures.runs:
        assert r.run.failure is not None or f"{percent(r.overall.accuracy)}{interval(r.overall)}" in cells
    for r in figures.working:
        for score in (*r.types.values(), *(s for part in r.facts.values() for s in part), *r.within.values()):
            assert f"{percent(score.accuracy)}{interval(score)}" in cells


def test_plots_come_for_wide_and_for_narrow_windows() -> None:
    dom = Dom(page(comparisons.clevr()))
    plots = [
        g["aria-label"] for t, g, _ in dom.elements if t == "svg" and g.get("role") == "img" and g["class"] == "plot"
    ]
    expected = ["Accuracy against training-set size", "Accuracy against objects", "Accuracy against program length"]
    assert plots == [name for name in expected for _ in range(2)]
    assert "trained on 3–6" in dom.of("text", "shaded")
    one = [g for t, g, _ in Dom(page(comparisons.babi())).elements if t == "svg" and g.get("role") == "img"]
    assert one == []  # one size and no fact: nothing to draw


EVIL = '<script>alert(1)</script> "&amp; {{ title }} {% block main %}'


def test_what_was_read_is_text() -> None:
    query = ComparedQuestion(0, EVIL, EVIL, EVIL, EVIL, {EVIL: 3})
    other = ComparedQuestion(1, None, "no", "b", EVIL, {EVIL: 30})
    runs = (
        ReasonerRun(EVIL, "neural", 10, True, None, (EVIL, "x"), (0.5, None), {0: EVIL}, settings={EVIL: [EVIL]}),
        ReasonerRun(EVIL, "neural", 20, True, None, (None, None), (None, None), {0: EVIL}),
        ReasonerRun("b", "soft", failure=EVIL),
    )
    settings = {"task": EVIL, "source": EVIL, EVIL: {EVIL: EVIL}, "budget": {EVIL: EVIL}}
    examples = (ComparedExample(0, EVIL, EVIL, None, EVIL), ComparedExample(1))
    comparison = Comparison(settings, (query, other), runs, examples, {EVIL: (3, 4)}, EVIL, EVIL, 3, EVIL)
    text = page(comparison)
    assert "<script" not in text and '"&amp; <' not in text
    assert text.count("{{ title }}") > 50 and text.count("{% block main %}") > 50  # as they are: nothing fills them
    dom = Dom(text)
    assert EVIL in dom.of("pre")[0] and EVIL in dom.of("h3")[0] and EVIL in dom.of("td", "error")[0]


def test_an_example_shows_answers_trace_and_drawing() -> None:
    comparison = comparisons.clevr()
    dom = Dom(page(comparison))
    first = comparison.examples[0]
    question = comparison.queries[first.place]
    assert (
        dom.of("h3")[0] == question.text and dom.of("pre")[0] == first.trace and "how exact answers it" in dom.of("p")
    )
    assert page(comparison).count(comparisons.SCENE) == 2  # as it is
    rows = [t for t in dom.of("tr") if t.startswith(("lstm✓", "lstm✗"))]
    right = comparison.right(next(r for r in comparison.best() if r.reasoner == "lstm"))
    for row, example in zip(rows, comparison.examples, strict=True):
        assert row.startswith("lstm✓right: " if right[example.place] else "lstm✗wrong: ") and row.endswith(" %")


def test_plans_of_scenes_find_their_shades() -> None:
    thing = {"size": "large", "color": "red", "material": "metal", "shape": "cube"}
    scene = Scene.of("clevr", [thing])
    comparison = replace(comparisons.small(), examples=(ComparedExample(1, scene=plan(scene).svg),))
    text = page(comparison)
    refers = set(re.findall(r"url\(#([\w-]+)\)", text))
    assert refers and refers <= {g.get("id") for _, g, _ in Dom(text).elements}
    assert 'class="defs"' not in page(comparisons.babi())  # where nothing refers to them


def test_stories_are_told_and_long_answers_cut() -> None:
    assert "mary went to the garden.\njohn <slept>." in Dom(page(comparisons.babi())).of("pre", "story")
    comparison = comparisons.springs()
    long = comparison.queries[29].answer
    assert long is not None
    dom = Dom(page(comparison))
    (truth,) = dom.of("p", "truth")
    assert truth.endswith("…") and len(truth) < 90 and "Question 29" in dom.of("h3")
    assert long in [g.get("title") for _, g, _ in dom.elements]  # whole, to whoever points at it


@pytest.mark.parametrize(("name", "long"), [("relation-network", False), ("my.package:AReasonerOfMyOwn", True)])
def test_only_long_names_are_broken(name: str, long: bool) -> None:
    run = replace(comparisons.small().runs[0], reasoner=name)
    whos = [
        g["class"]
        for t, g, _ in Dom(page(replace(comparisons.small(), runs=(run,)))).elements
        if "who" in g.get("class", "")
    ]
    assert whos and all(("long" in css.split()) == long for css in whos)


def test_agreement_is_a_table_by_colour_and_number() -> None:
    text = page(comparisons.small())
    assert '<td class="" style="--share:0.500">50.0<span class="under">50.0 / 0.0</span></td>' in text
    assert 'id="agreement"' not in page(comparisons.springs())  # one alone agrees with nobody


def test_what_is_missing_is_left_out() -> None:
    bare = replace(comparisons.small(), runs=(), examples=(ComparedExample(9),), trained={})
    dom = Dom(page(bare))
    assert "No reasoner has answers." in dom.of("p") and not dom.of("svg", "plot") and not dom.of("article")
    assert Dom(page(Comparison({}, (), ()))).of("h1") == ["Reasoners compared on a task"]
    lone = replace(comparisons.small(), runs=comparisons.small().runs[:1])
    assert "Executing programs: exact, 100.0 % (51.0–100.0)." in Dom(page(lone)).of("p")


def test_notes_say_what_went_wrong() -> None:
    notes = Dom(page(comparisons.clevr())).of("li")
    assert notes[0].startswith("2 records could not be used") and "no scene 99" in notes[0]
    assert any("cnn-mlp, 1,000 questions: failed: out of memory" in n for n in notes)
    assert any("cnn-mlp, 100,000 questions: its time ran out" in n for n in notes)
    small = Dom(page(comparisons.small())).of("li")
    assert "lstm, 20 questions: 1 answer is a guess; the first: unsure" in small
    assert "lstm, 20 questions: no answer to 1 question; the first: lost" in small


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_no_window_has_to_be_scrolled_sideways(tmp_path: Path, width: int) -> None:
    """Measured by the browser: in a frame of that width, since windows are not made narrower than 500 pixels."""
    from tests.support.browser import browse

    inner = page(comparisons.clevr(200)).replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
    (tmp_path / "inner.html").write_text(
        inner.replace(
            "</body>", "<script>parent.postMessage(document.documentElement.scrollWidth, '*')</script></body>"
        ),
        encoding="utf-8",
    )
    outer = (
        f'<iframe src="inner.html" width="{width}" height="3000" style="border:0"></iframe>'
        "<script>onmessage = e => document.body.dataset.wide = e.data</script>"
    )
    text = browse(f"<body>{outer}</body>", "", tmp_path, "--window-size=1400,900", "--dump-dom").decode()
    wide = re.search(r'data-wide="(\d+)"', text)
    assert wide is not None and int(wide[1]) <= width

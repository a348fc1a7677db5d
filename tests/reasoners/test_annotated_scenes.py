"""Reasoners that execute programs: failed queries, images seen once each, and the confidence of soft answers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import load_domain
from nsreason.errors import DataError, ExecutionError, NotUnique, NsreasonError, SceneError
from nsreason.executors import execute, spell
from nsreason.executors.soft.algebras import Logit
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import ground_crisp
from nsreason.perception.detections.detections import Detections
from nsreason.perception.letterbox import Letterbox
from nsreason.programs.text_reader import parse_program
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query
from nsreason.reasoners.annotated_scenes import AnnotatedScenes, Exact, ExactParsed
from nsreason.reasoners.executing import Executing
from nsreason.reasoners.image_pipeline import DetectedImage
from nsreason.reasoners.images import ImageScenes, SoftImageReasoner, image_reasoner
from nsreason.reasoners.perceived_images import PerceivedImages
from nsreason.reasoners.reasoner import FitRequest
from nsreason.reasoners.soft_scores import how_many, soft_replies
from nsreason.scenes.scene import Scene
from nsreason.training.budget import Budget
from tests.support.soft_worlds import SOFT, label, uncertain

CLEVR, KITCHEN = load_domain("clevr"), load_domain("kitchen")
LOOKS = {"size": "large", "material": "metal", "shape": "cube"}


def of_colors(*colors: str) -> Scene:
    """Cubes that are in no relation."""
    nothing: list[list[int]] = [[] for _ in colors]
    return Scene.of(
        CLEVR, [LOOKS | {"color": c} for c in colors], relationships=dict.fromkeys(CLEVR.relations, nothing)
    )


SCENE = of_colors("red", "red", "blue")
SILENT = Scene.of(CLEVR, [LOOKS | {"color": "blue"}])  # says nothing of relations
MUG = {"fill": "full", "state": "clean", "color": "white", "material": "steel", "kind": "cup"}
TABLE = Scene.of(KITCHEN, [MUG, MUG | {"kind": "plate"}])


pytestmark = pytest.mark.usefixtures("one_thread")


def ask(program: str, scene: Scene = SCENE, domain: str = "clevr", text: str | None = None) -> Query:
    return Query(7, text, None, "query", {"scene": scene}, program=parse_program(program, domain))


def request(domain: str = "clevr") -> FitRequest:
    return FitRequest("clevr", [], [], Path("nowhere"), Budget(examples=1), domain=domain)


# --- exact execution ------------------------------------------------------------------------------------------


def test_what_has_no_exact_answer_is_answered_leniently_beside_its_error() -> None:
    red = "query[color](unique(filter[red](scene())))"
    nothing = "query[color](unique(filter[green](scene())))"
    several, one, none = Executing(AnnotatedScenes()).answer([ask(red), ask(red.replace("red", "blue")), ask(nothing)])
    assert (several.answer, one.answer, none.answer) == ("red", "blue", None)
    assert isinstance(several.error, NotUnique) and one.error is None and isinstance(none.error, NotUnique)
    assert (several.scores, none.scores) == ({"red": 1.0}, {})


def test_a_scene_without_a_relation_does_not_cost_the_others() -> None:
    """Neither exact execution nor the lenient rule can answer the query about that scene."""
    asked = ask("count(relate[left](unique(filter[blue](scene()))))", SILENT)
    replies = Executing(AnnotatedScenes()).answer([ask("count(scene())"), asked, ask("count(filter[red](scene()))")])
    assert [r.answer for r in replies] == ["3", None, "2"]
    assert isinstance(replies[1].error, SceneError)


def test_programs_and_scenes_of_another_domain() -> None:
    kitchen = ask("count(filter[cup](scene()))", TABLE, "kitchen")
    crossed = replace(kitchen, inputs={"scene": SCENE})
    replies = Executing(AnnotatedScenes()).answer(
        [ask("count(scene())"), crossed, kitchen, ask("count(filter[red](scene()))")]
    )
    assert [r.answer for r in replies] == ["3", None, "1", "2"]
    assert isinstance(replies[1].error, ExecutionError) and "'kitchen'" in str(replies[1].error)


def test_a_lesson_of_another_domain() -> None:
    reasoner = ExactParsed.build("exact-parsed", request("kitchen"))
    text = "How many cups are clean?"
    [reply] = reasoner.answer([Query(0, text, "1", "count", {"scene": TABLE})])
    assert reply.answer == "1" and reply.error is None
    traced = reasoner.trace(Query(0, text, "1", "count", {"scene": TABLE}))
    assert traced is not None and traced.answer == 1
    with pytest.raises(NsreasonError, match="no domain 'kitchn'; did you mean 'kitchen'"):
        Exact.build("exact", request("kitchn"))
    with pytest.raises(DataError, match="know the domain 'clevr', the task is of 'kitchen'"):
        ImageScenes.build("scene-parser", request("kitchen"))


def test_what_a_query_lacks_is_named() -> None:
    queries = [replace(ask("count(scene())"), inputs={"rows": 1}), replace(ask("count(scene())"), program=None)]
    first, second = Executing(AnnotatedScenes()).answer(queries)
    assert str(first.error) == "question 7: no scene is annotated; a 'scene' is looked for, there is rows"
    assert "comes without a program" in str(second.error)
    [third] = Executing(AnnotatedScenes(), "parsed").answer([ask("count(scene())")])
    assert "has no text to parse" in str(third.error)


# --- images ---------------------------------------------------------------------------------------------------


class Eye:
    """Sees a scene of as many objects as the picture is bright, or as many as were detected; `calls` is what it saw."""

    crisp, domain = True, CLEVR

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def perceive(
        self, images: Sequence[tuple[str, torch.Tensor]], detections: Sequence[Detections] | None = None
    ) -> list[DetectedImage]:
        self.calls.append([name for name, _ in images])
        views = []
        for i, (name, image) in enumerate(images):
            size = (image.shape[2], image.shape[1])
            if detections is not None and detections[i].size != size:
                raise DataError(f"{name}: the detections are of another size")
            given = boxes(0, size) if detections is None else detections[i]
            number = int(image[0, 0, 0]) if detections is None else len(given)
            scene = of_colors(*["red"] * number)
            views.append(DetectedImage(name, image, given, Letterbox.of(size, size), scene))
        return views

    def scene(self, view: DetectedImage) -> Scene:
        assert view.scene is not None
        return view.scene


def boxes(number: int, size: tuple[int, int] = (4, 2)) -> Detections:
    ones = np.ones(number, np.float32)
    return Detections("a.png", size, np.zeros((number, 4), np.float32), ones, ones.astype(np.int64), None)


def bright(number: int, **seen: Any) -> Query:
    picture = QueryImage(None, pixels=np.full((2, 4, 3), number, np.uint8), name=f"{number}.png")
    return Query(number, "How many things are there?", str(number), "count", {"image": picture, **seen})


def test_each_picture_is_looked_at_once() -> None:
    eye = Eye()
    reasoner = image_reasoner(PerceivedImages(eye))
    queries = [bright(n) for n in range(20)]
    twice = [*queries, *(replace(q, text="Is there a red cube?") for q in queries)]
    replies = reasoner.answer(twice)
    assert [r.answer for r in replies] == [*map(str, range(20)), "no", *["yes"] * 19]
    assert [len(call) for call in eye.calls] == [16, 4]
    reasoner.answer(queries)
    assert len(eye.calls) == 2


def test_pictures_that_are_gone_are_not_taken_for_others() -> None:
    """Ids of things come again when they are gone."""
    reasoner = image_reasoner(PerceivedImages(Eye()))
    for n in itertools.chain(range(9), range(9)):
        assert [r.answer for r in reasoner.answer([bright(n)])] == [str(n)]


def test_pictures_that_cannot_be_seen_do_not_cost_the_others(tmp_path: Path) -> None:
    eye = Eye()
    missing = Query(1, "How many things are there?", None, "count", {"image": QueryImage(tmp_path / "no.png")})
    queries = [bright(3), missing, bright(4, detections=boxes(2)), bright(5, detections=boxes(1, (9, 9)))]
    replies = image_reasoner(PerceivedImages(eye)).answer(queries)
    assert [r.answer for r in replies] == ["3", None, "2", None]  # given detections are taken, here two
    assert "no.png" in str(replies[1].error) and "another size" in str(replies[3].error)


def test_the_same_picture_with_and_without_detections() -> None:
    reasoner = image_reasoner(PerceivedImages(Eye()))
    plain = bright(3)
    detected = replace(plain, inputs={**plain.inputs, "detections": boxes(1)})
    assert [r.answer for r in reasoner.answer([plain, detected, plain])] == ["3", "1", "3"]


class SoftEye(Eye):
    """Ground the scenes that were read, with certainty."""

    crisp = False
    executor = QuasiSymbolic(Logit())

    def ground(self, images: Sequence[DetectedImage]) -> Any:
        scenes = [of_colors(*["red"] * int(i.image[0, 0, 0])) for i in images]
        return ground_crisp(scenes, self.executor.algebra)


def test_programs_by_degrees_on_pictures(tmp_path: Path) -> None:
    eye = SoftEye()
    reasoner = image_reasoner(PerceivedImages(eye))
    assert isinstance(reasoner, SoftImageReasoner)
    missing = Query(1, "How many things are there?", None, "count", {"image": QueryImage(tmp_path / "no.png")})
    queries = [bright(n) for n in range(1, 20)]
    unread = replace(queries[0], text="Wherefore?")
    replies = reasoner.answer([*queries, unread, missing, *queries])
    answers = [str(n) for n in range(1, 20)]
    assert [r.answer for r in replies] == [*answers, None, None, *answers]
    assert all(r.scores[r.answer] > 0.98 for r in replies if r.answer is not None)
    looks = len(eye.calls)
    assert reasoner.answer(queries)[3].answer == "4" and len(eye.calls) == looks  # kept
    many = [bright(n % 9) for n in range(100)]
    reasoner.answer(many)
    assert len(reasoner.images) == 21  # equal pixels and names are one image


def test_no_more_images_are_kept_than_fit() -> None:
    eye = Eye()
    perceived = PerceivedImages(eye, batch_size=2, keep=3)
    queries = [bright(n) for n in range(5)]
    assert [i.name for i in perceived.of(queries) if isinstance(i, DetectedImage)] == [f"{n}.png" for n in range(5)]
    assert len(perceived) == 3 and [len(call) for call in eye.calls] == [2, 2, 1]
    perceived.of(queries[3:])
    assert len(eye.calls) == 3
    perceived.of(queries[:1])
    assert eye.calls[3:] == [["0.png"]]


def test_queries_with_equal_images_share_one_look() -> None:
    eye = Eye()
    first, again, other = bright(3), bright(3), bright(4)
    assert first.inputs["image"] is not again.inputs["image"]
    assert [r.answer for r in image_reasoner(PerceivedImages(eye)).answer([first, again, other])] == ["3", "3", "4"]
    assert eye.calls == [["3.png", "4.png"]]


# --- scores ---------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_how_many_members(shares: list[float]) -> None:
    expected = [0.0] * (len(shares) + 1)
    for chosen in itertools.product((0, 1), repeat=len(shares)):
        expected[sum(chosen)] += math.prod(p if c else 1 - p for p, c in zip(shares, chosen, strict=True))
    degrees = how_many(torch.tensor([shares], dtype=torch.float64))[0].tolist()
    assert degrees == pytest.approx(expected, abs=1e-9)


PROGRAMS = [
    "count(filter[red](scene()))",
    "exist(filter[green](scene()))",
    "query[color](unique(filter[blue](scene())))",
    "less(count(filter[red](scene())), count(scene()))",
    "equal(query[color](unique(filter[blue](scene()))), query[color](unique(filter[blue](scene()))))",
    "unique(filter[blue](scene()))",
    "filter[red](scene())",
]


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_what_is_certain_scores_high(k: Any) -> None:
    programs = [parse_program(p) for p in PROGRAMS]
    replies = soft_replies(QuasiSymbolic(k), programs, ground_crisp([SCENE], k), [0] * len(programs))
    for program, reply in zip(programs, replies, strict=True):
        assert reply.answer == spell(execute(program, SCENE))
        assert reply.scores[reply.answer] > 0.85 and reply.error is None
    assert soft_replies(QuasiSymbolic(k), [], ground_crisp([SCENE], k), []) == []


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_what_is_uncertain_scores_less_and_the_answer_most(k: Any) -> None:
    programs = [parse_program(p) for p in PROGRAMS] * 20
    grounded = uncertain(Random(3), CLEVR, k, [3, 5] * 10, dtype=torch.float32)
    which = [i // len(PROGRAMS) for i in range(len(programs))]
    replies = soft_replies(QuasiSymbolic(k), programs, grounded, which)
    decoded = QuasiSymbolic(k).evaluation()(programs, grounded, which).decode()
    assert [r.answer for r in replies] == [spell(a) for a in decoded]
    for reply in replies:
        assert reply.answer is not None and reply.scores[reply.answer] == max(reply.scores.values())
        assert all(0 <= p <= 1 for p in reply.scores.values())
    own = [r.scores[r.answer] for r in replies if r.answer is not None]
    assert min(own) < 0.6 and max(own) > 0.6
    whole = [sum(r.scores.values()) for r in replies if len(r.scores) > 1]
    assert whole == pytest.approx([1.0] * len(whole), abs=1e-4)


def test_a_count_of_unlikely_members() -> None:
    """Three objects that are red with 0.6 each: counted they are three, which has the probability 0.216."""
    grounded = ground_crisp([SCENE], Logit())
    logit = math.log(0.6 / 0.4)
    concepts = grounded.concepts.clone()
    concepts[0, CLEVR.concept_index["red"]] = logit
    [reply] = soft_replies(QuasiSymbolic(), [parse_program(PROGRAMS[0])], replace(grounded, concepts=concepts), [0])
    assert reply.answer == "3" and reply.scores == {"3": pytest.approx(0.216, abs=1e-3)}

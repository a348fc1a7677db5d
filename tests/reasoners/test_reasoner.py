"""One contract for every reasoner; toys show that the protocol fits other kinds of data.

Queries of one record share its `index`: a reasoner over multiple choice gets one query for each thing that is to be
chosen, and what is right jointly (an answer and its rationale) is told by the index.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch

from nsreason.data.splits import Split
from nsreason.errors import DataError, NsreasonError, RecipeError
from nsreason.executors import execute
from nsreason.generators import write_dataset
from nsreason.programs.text_reader import parse_program
from nsreason.queries.choices import Choice
from nsreason.queries.image import QueryImage
from nsreason.queries.keys import BoundedCache, observation_key
from nsreason.queries.query import Query, Reply, accuracy
from nsreason.reasoners.executing import Executing
from nsreason.reasoners.reasoner import FitRequest, Reasoner, reasoner_class
from nsreason.registry import REASONERS
from nsreason.scenes.scene import Scene
from nsreason.tasks.clevr import Clevr
from nsreason.traces.trace import Trace
from nsreason.training.budget import Budget

NETWORK = """
model = "relation-network"
[model_config]
input = "{input}"
asks = "words"
[model_config.grid]
channels = [8, 8]
size = 32
[model_config.question]
units = 16
embedding = 8
[model_config.relation]
g = [24, 24]
f = [24]
dropout = 0.0
classes = 1
[training]
batch_size = 32
lr = 3e-3
threads = 1
"""

WITHOUT_PROGRAMS = {"mlp", "cnn-mlp", "cnn-lstm", "cnn-lstm-sa", "lstm", "question-type", "relation-network"}
# What a query must have for a reasoner to answer it: names of Query's fields, or kinds of `inputs`.
NEEDS: dict[str, tuple[str, ...]] = {
    "exact": ("scene", "program"),
    "exact-parsed": ("scene", "text"),
    "scene-parser": ("image", "text"),
    "image-concepts": ("image", "text"),
    "concept-learner": ("scene", "program"),
    "question-type": (),
    "lstm": ("text",),
    **dict.fromkeys(("mlp", "cnn-mlp", "cnn-lstm", "cnn-lstm-sa", "relation-network"), ("rows", "text")),
}
TOYS = {
    f"{__name__}:{name}": needs
    for name, needs in {
        "ChoosingByReference": ("objects", "choices"),
        "Watching": ("video",),
        "Graphs": ("edges", "text"),
    }.items()
}


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """50 scenes of 3 to 5 objects, 6 questions each."""
    place = tmp_path_factory.mktemp("reasoners")
    write_dataset(place, scenes=50, questions_per_scene=6, seed=3, objects=(3, 5))
    for input in ("rows", "image"):
        (place / f"{input}.toml").write_text(NETWORK.format(input=input))
    return place


@pytest.fixture(scope="module")
def split(folder: Path) -> Split[list[Query]]:
    return Clevr(test=0.16, valid=0.1).load(folder)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> list[Query]:
    """Of two small pictures two questions each; a look at one takes a while."""
    place = tmp_path_factory.mktemp("pictures")
    write_dataset(place, scenes=2, questions_per_scene=2, seed=3, objects=(3, 5), images=(96, 64))
    return Clevr(test=0, valid=0).load(place).train


def request(folder: Path, split: Split[list[Query]], own: Path, **changed: Any) -> FitRequest:
    recipes = {input: str(folder / f"{input}.toml") for input in ("rows", "image")}
    fit_request = FitRequest(
        "clevr", split.train, split.valid, own, Budget(examples=2 * len(split.train)), recipes=recipes
    )
    return replace(fit_request, **changed)


built: dict[str, Reasoner] = {}


@pytest.fixture(params=[*REASONERS, *TOYS])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def reasoner(name: str, folder: Path, split: Split[list[Query]], tmp_path: Path) -> Reasoner:
    if name not in built:
        built[name] = reasoner_class(name).build(name, request(folder, split, tmp_path / "own"))
    return built[name]


@pytest.fixture
def queries(name: str, split: Split[list[Query]], request: pytest.FixtureRequest) -> list[Query]:
    """Return some queries of each scene."""
    if name in TOYS:
        return reasoner_class(name).examples()  # type: ignore[no-any-return]
    if "image" in NEEDS[name]:
        return request.getfixturevalue("pictures")  # type: ignore[no-any-return]
    return split.test[::4]


# --- the contract -----------------------------------------------------------------------------------------------


def same(a: Reply, b: Reply) -> bool:
    """The same reply, but for the last digits of its scores, which may hang on what else was in the batch."""
    alike = a.scores.keys() == b.scores.keys() and a.scores == pytest.approx(b.scores, abs=1e-4)
    return a.answer == b.answer and alike and str(a.error) == str(b.error)


def same_all(a: Sequence[Reply], b: Sequence[Reply]) -> bool:
    return len(a) == len(b) and all(map(same, a, b))


def without(query: Query, need: str) -> Query:
    if need in ("text", "program"):
        return replace(query, **{need: None})
    if need == "choices":
        return replace(query, choices=())
    return replace(query, inputs={k: v for k, v in query.inputs.items() if k != need})


def test_every_name_of_the_table_says_what_it_needs() -> None:
    assert set(NEEDS) == set(REASONERS)


def test_what_makes_reasoners_says_how_to_read_their_results(name: str) -> None:
    factory = reasoner_class(name)
    assert factory.learns in (True, False) and factory.kind in ("symbolic", "soft", "neural")
    assert (name in WITHOUT_PROGRAMS) <= (factory.kind == "neural" and factory.learns)


def test_there_is_a_reply_for_each_query(reasoner: Reasoner, queries: list[Query]) -> None:
    assert reasoner.answer([]) == []
    replies = reasoner.answer(queries)
    assert len(replies) == len(queries)
    for reply in replies:
        assert isinstance(reply, Reply)
        assert (reply.answer is not None) or (reply.error is not None)
        assert all(0 <= score <= 1 for score in reply.scores.values())
        assert reply.error is None or isinstance(reply.error, NsreasonError)
        if reply.answer is not None:
            assert reply.scores[reply.answer] == max(reply.scores.values())


def test_answers_are_spelled_as_the_data_spell_them(
    name: str, reasoner: Reasoner, queries: list[Query], split: Split[list[Query]]
) -> None:
    known = {q.answer for q in (*split.train, *split.valid, *split.test)} | {str(n) for n in range(11)}
    for query, reply in zip(queries, reasoner.answer(queries), strict=True):
        assert name in TOYS or reply.answer is None or reply.answer in known
        assert not query.choices or reply.answer in [c.text for c in query.choices]


def test_the_right_answer_is_not_looked_at(reasoner: Reasoner, queries: list[Query]) -> None:
    replies = reasoner.answer(queries)
    for wrong in ("0-1 nonsense", "yes", None):
        assert same_all(reasoner.answer([replace(q, answer=wrong) for q in queries]), replies)


def test_order_and_company_change_nothing(reasoner: Reasoner, queries: list[Query]) -> None:
    replies = reasoner.answer(queries)
    assert same_all(reasoner.answer(queries), replies)
    order = np.random.default_rng(0).permutation(len(queries)).tolist()
    assert same_all(reasoner.answer([queries[i] for i in order]), [replies[i] for i in order])
    assert same(reasoner.answer(queries[2:3])[0], replies[2])


def test_one_that_cannot_be_answered_does_not_cost_the_others(
    name: str, reasoner: Reasoner, queries: list[Query]
) -> None:
    replies = reasoner.answer(queries)
    for need in {**NEEDS, **TOYS}[name]:
        bad = without(queries[1], need)
        mixed = reasoner.answer([queries[0], bad, *queries[1:]])
        assert mixed[1].answer is None and isinstance(mixed[1].error, NsreasonError)
        assert same_all([mixed[0], *mixed[2:]], replies)


def test_words_that_nobody_knows(name: str, reasoner: Reasoner, queries: list[Query]) -> None:
    if name in TOYS and "text" not in TOYS[name]:
        return
    [reply] = reasoner.answer([replace(queries[0], text="Wherefore zounds the gnarled wabe?")])
    reads = "text" in {**NEEDS, **TOYS}[name] and name not in WITHOUT_PROGRAMS
    assert (reply.error is not None) == reads


def test_traces(reasoner: Reasoner, queries: list[Query]) -> None:
    traced = reasoner.trace(queries[0])
    assert traced is None or isinstance(traced, Trace)
    if traced is not None and traced.error is None:
        [reply] = reasoner.answer(queries[:1])
        assert traced.answer is not None and reply.answer is not None
        with pytest.raises(NsreasonError):
            reasoner.trace(replace(queries[0], program=None, text=None, inputs={}))


def test_how_much_it_has_learned(name: str, reasoner: Reasoner) -> None:
    assert reasoner.parameters >= 0
    assert reasoner.parameters > 0 or not reasoner_class(name).learns


# --- the table --------------------------------------------------------------------------------------------------


def test_names_that_are_not_reasoners() -> None:
    with pytest.raises(RecipeError, match="no reasoner 'exat'; did you mean 'exact'"):
        reasoner_class("exat")
    for wrong in ("", ":", "a:", ":b", ".x:y", "a b:c"):
        with pytest.raises(RecipeError, match="no reasoner"):
            reasoner_class(wrong)
    with pytest.raises(RecipeError, match=r"cannot import nsreason\.nowhere"):
        reasoner_class("nsreason.nowhere:Exact")
    with pytest.raises(RecipeError, match="has no class Nothing"):
        reasoner_class("nsreason.queries.query:Nothing")
    with pytest.raises(RecipeError, match="makes no reasoners, it lacks build, learns, kind"):
        reasoner_class("nsreason.queries.query:Query")


@pytest.mark.parametrize("wrong", [{}, {"seconds": 0}, {"examples": -1}, {"seconds": 1, "examples": 1}])
def test_budgets_that_are_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="a budget is a time or a number"):
        Budget(**wrong)
    with pytest.raises(RecipeError, match="a budget is"):
        Budget(seconds=float("inf"))
    assert (str(Budget(seconds=90)), str(Budget(examples=20_000))) == ("90 s", "20,000 questions")


def test_the_table_is_read_without_torch() -> None:
    rooms = "nsreason.reasoners.reasoner, nsreason.reasoners.annotated_scenes, nsreason.queries.query"
    code = f"import sys, {rooms}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.stdout, done.stderr) == ("False\n", "")


ROOT = Path(__file__).parent.parent.parent


# --- reasoners to come: multiple choice over grounded responses, videos, scene graphs ----------------------------


@dataclass(frozen=True)
class ChoosingByReference:
    """Multiple choice as in VCR: words of a question and of its four responses may refer to objects, by their places
    among `seen["objects"]`. It prefers the response that refers to what the question refers to.
    """

    learns: ClassVar[bool] = False
    kind: ClassVar[Literal["symbolic", "soft", "neural"]] = "neural"
    parameters: ClassVar[int] = 0

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return cls()

    @classmethod
    def examples(cls) -> list[Query]:
        picture = QueryImage(None, pixels=np.zeros((4, 4, 3), np.uint8), name="scene.png")
        asked = []
        for k in range(4):
            tagged = [["he", [i], "waits", "for", [3 - i]] for i in range(4)]
            seen = {"image": picture, "objects": ("person",) * 4, "question": ["why", "is", [k]], "responses": tagged}
            choices = tuple(Choice(tuple(w if isinstance(w, str) else tuple(w) for w in words)) for words in tagged)
            kinds = (("answer", choices[k].text), ("rationale", choices[3 - k].text))
            asked += [Query(k, f"why is [{k}]", right, kind, seen, choices=choices) for kind, right in kinds]
        return asked

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        return [self._one(q) for q in queries]

    def _one(self, query: Query) -> Reply:
        try:
            if not query.choices or "objects" not in query.inputs:
                raise DataError(f"question {query.index} has no choices of objects")
            asked = {i for word in query.inputs["question"] if isinstance(word, list) for i in word}
            fit = [2.0 * (response[1] == [*asked]) for response in query.inputs["responses"]]
            shares = torch.tensor(fit).softmax(0).tolist()
        except NsreasonError as error:
            return Reply(None, error=error)
        texts = [choice.text for choice in query.choices]
        return Reply(texts[int(np.argmax(shares))], dict(zip(texts, shares, strict=True)))

    def trace(self, query: Query) -> Trace | None:
        return None


def test_an_answer_and_its_rationale_belong_together_by_index() -> None:
    queries = ChoosingByReference.examples()
    replies = ChoosingByReference().answer(queries)
    assert accuracy(queries, replies) == 0.5
    jointly: dict[int, bool] = {}
    for query, reply in zip(queries, replies, strict=True):
        jointly[query.index] = jointly.get(query.index, True) and reply.right(query)
    assert jointly == dict.fromkeys(range(4), False)


@dataclass(frozen=True)
class Watching:
    """A video as in CLEVRER: which of the choices hold, several of them or none; the answer names their places."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Literal["symbolic", "soft", "neural"]] = "neural"
    parameters: ClassVar[int] = 0

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return cls()

    @classmethod
    def examples(cls) -> list[Query]:
        """A spot that moves by `step` pixels a frame."""
        asked = []
        for step in range(5):
            frames = np.zeros((6, 4, 32), np.uint8)
            frames[range(6), 1, [step * t for t in range(6)]] = 255
            options = ("it moves", "it rests", "it is fast")
            right = " ".join(str(i) for i, holds in enumerate((step > 0, step == 0, step > 2)) if holds)
            seen = {"video": frames, "options": options}
            asked.append(Query(step, "which of these hold?", right, "explanatory", seen))
        return asked

    def answer(self, queries: Sequence[Query]) -> list[Reply]:
        return [self._one(q) for q in queries]

    def _one(self, query: Query) -> Reply:
        if "video" not in query.inputs:
            return Reply(None, error=DataError(f"question {query.index} has no video"))
        where = query.inputs["video"].max(1).argmax(-1)  # (T,)
        step = int(np.diff(where).mean())
        answer = " ".join(str(i) for i, holds in enumerate((step > 0, step == 0, step > 2)) if holds)
        return Reply(answer, {answer: 1.0})

    def trace(self, query: Query) -> Trace | None:
        return None


def test_all_choices_of_a_video_are_right_or_the_answer_is_not() -> None:
    queries = Watching.examples()
    assert accuracy(queries, Watching().answer(queries)) == 1.0
    assert not Reply("0").right(queries[-1])


@dataclass(frozen=True)
class DrawnGraphs:
    """A scene-graph builder: objects and the edges between them, as a model of relations would draw them."""

    parameters: int = 7
    drawn: list[str] = field(default_factory=list)
    _kept: BoundedCache[Scene] = field(default_factory=lambda: BoundedCache(100))

    def scenes(self, queries: Sequence[Query]) -> list[Scene | NsreasonError]:
        graphs: list[Scene | NsreasonError] = []
        for query in queries:
            if "edges" not in query.inputs:
                graphs.append(DataError(f"question {query.index} has no edges"))
                continue
            key = observation_key(query.inputs["nodes"]), observation_key(query.inputs["edges"])
            scene = self._kept.get(key)
            if scene is None:
                scene = Scene.of("clevr", query.inputs["nodes"], relationships=query.inputs["edges"])
                self._kept.put(key, scene)
            graphs.append(scene)
        return graphs


class Graphs:
    """Programs parsed from texts, executed on graphs."""

    learns: ClassVar[bool] = False
    kind: ClassVar[Literal["symbolic", "soft", "neural"]] = "symbolic"

    @classmethod
    def build(cls, name: str, request: FitRequest) -> Reasoner:
        return Executing(DrawnGraphs(), "parsed", request.domain)

    @classmethod
    def examples(cls) -> list[Query]:
        looks = {"size": "large", "material": "metal"}
        nodes = [looks | {"color": "red", "shape": "cube"}, looks | {"color": "blue", "shape": "sphere"}]
        edges = {"left": [[1], []], "right": [[], [0]], "front": [[], []], "behind": [[], []]}
        seen = {"nodes": nodes, "edges": edges}
        texts = (
            ("What color is the thing left of the cube?", "blue"),
            ("How many things are right of the sphere?", "1"),
            ("Is there a cylinder?", "no"),
        )
        return [Query(i, text, answer, "query", seen) for i, (text, answer) in enumerate(texts)]


def test_programs_run_on_graphs_that_a_model_draws() -> None:
    queries = Graphs.examples()
    reasoner = Executing(DrawnGraphs(), "parsed")
    assert accuracy(queries, reasoner.answer(queries)) == 1.0 and reasoner.parameters == 7
    traced = reasoner.trace(queries[0])
    assert traced is not None and traced.answer == "blue"
    program = parse_program("exist(filter[cylinder](scene()))")
    scene = reasoner.builder.scenes(queries[:1])[0]
    assert isinstance(scene, Scene) and execute(program, scene) is False

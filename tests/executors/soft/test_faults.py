"""What soft execution must not answer: questions about an object where there is none, and tables that say nothing; and
that a colour is asked for and a colour is the answer."""

from __future__ import annotations

import math
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st

from nsreason.data.questions import QuestionRecord
from nsreason.dsl.domain import Domain, load_domain
from nsreason.dsl.kinds import NUMBER, OBJECT, OBJECTS, TRUTH, WORD
from nsreason.dsl.ops import OPS
from nsreason.errors import ExecutionError, NotUnique, NsreasonError
from nsreason.executors import execute, execute_batch, spell
from nsreason.executors.soft.algebras import Goedel, Logit, Product
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.explain import influence, trace_soft
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.models.nscl.examples import Described, Example
from nsreason.models.nscl.learner import ConceptLearner, ConceptLearnerConfig, likeliest_scene
from nsreason.models.nscl.losses import MISMATCH, answer_losses, encode_answer, right_answers
from nsreason.models.nscl.probes import probe
from nsreason.perception.detections.detections import Detections
from nsreason.programs.program import Program
from nsreason.programs.text_reader import parse_program
from nsreason.reasoners.soft_scores import soft_replies
from nsreason.scenes.scene import Scene
from tests.support.soft_worlds import SEMANTICS, SOFT, label, ops_of, tables_of, uncertain
from tests.support.strategies import _Grower, domains, random_domain, random_program, random_world

Semantics = Logit | Goedel | Product
CLEVR = load_domain("clevr")
LOOKS = {"size": "large", "material": "metal", "shape": "cube"}


def of_colors(*colors: str) -> Scene:
    """Large metal cubes that are in no relation."""
    rows: list[list[int]] = [[] for _ in colors]
    return Scene.of(CLEVR, [LOOKS | {"color": c} for c in colors], relationships=dict.fromkeys(CLEVR.relations, rows))


EMPTY, SCENE = of_colors(), of_colors("red", "blue")
COLOR = parse_program("query[color](unique(filter[red](scene())))")


def every_op(rng: Random, domain: Domain, count: int) -> list[Program]:
    """Programs whose last call is each op in turn, so that none is missing."""
    programs = []
    for q in range(count):
        grower = _Grower(rng, domain, None)
        op = list(OPS.values())[q % len(OPS)]
        unit = rng.choice(domain.attributes)
        inputs = [grower.grow(p.kind, rng.randint(1, 4), unit if p.kind is WORD else None) for p in op.inputs]
        grower.add(op, tuple(grower._literal(p.kind, None) for p in op.literals), tuple(inputs))
        programs.append(Program(grower.calls, domain))
    return programs


# --- no object --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_an_empty_scene_has_no_object_to_ask_about(k: Semantics) -> None:
    grounded, soft = ground_crisp([EMPTY], k), QuasiSymbolic(k)
    for text in ("query[color](unique(filter[red](scene())))", "unique(scene())",
                 "exist(relate[left](unique(scene())))", "equal_object(unique(scene()), unique(scene()))"):  # fmt: skip
        program = parse_program(text)
        (error,) = soft([program], grounded).decode()
        (want,) = execute_batch([program], [EMPTY])
        assert isinstance(error, NotUnique) and isinstance(want, NotUnique)
        assert (str(error), error.node, error.objects) == (str(want), want.node, want.objects)
        with pytest.raises(NotUnique, match="met no object"):
            influence(parse_program("query[color](unique(scene()))"), grounded, soft)
    for text, answer in (("count(scene())", 0), ("exist(scene())", False), ("distinct[color](scene())", 0),
                         ("scene()", ()), ("equal_integer(count(scene()), number[0])", True)):  # fmt: skip
        assert soft([parse_program(text)], grounded).decode() == [answer]


@settings(max_examples=40)
@given(st.data())
def test_an_empty_scene_beside_others_is_answered_as_exactly_or_not_at_all(data: st.DataObject) -> None:
    """Over all ops and algebras: where exact execution has no object, the same error; the others keep their answers."""
    domain = data.draw(domains())
    rng = Random(data.draw(st.integers(0, 2**32)))
    scenes = [random_world(rng, domain, n).scene for n in data.draw(st.permutations([0, 3, 0, 6]))]
    k = data.draw(st.sampled_from(SEMANTICS))
    programs = [random_program(rng, domain, max_calls=12) for _ in range(24)]
    which = [rng.randrange(4) for _ in programs]
    note(f"{label(k)}: {list(zip(which, map(str, programs), strict=True))}")
    result = QuasiSymbolic(k)(programs, ground_crisp(scenes, k, dtype=torch.float64, pad=rng.randint(0, 2)), which)
    exact = execute_batch(programs, scenes, which)
    for got, want, scene in zip(result.decode(), exact, which, strict=True):
        if not isinstance(want, NsreasonError):
            assert got == want and type(got) is type(want)
        elif not len(scenes[scene]):
            assert isinstance(got, NotUnique) and str(got) == str(want)
        else:  # NS-CL's rule: the likeliest object of a set without one, or with several
            assert not isinstance(got, ExecutionError)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_masked_objects_are_no_objects_whatever_their_tables_say(k: Semantics) -> None:
    """A model's scores of places where nothing is; no call may see them."""
    rng = Random(f"masked{label(k)}")
    domain = random_domain(rng, 4, 3)
    sure = uncertain(rng, domain, k, [5, 5], masked=False)
    yes = k.degree(torch.tensor(True), torch.float64)
    tables = {name: torch.full_like(table, float(yes)) for name, table in tables_of(sure).items()}
    grounded = Grounded(domain, torch.zeros_like(sure.present), **tables, nothing=k.nothing)
    bare = random_world(rng, domain, 0).scene
    programs = every_op(rng, domain, 4 * len(OPS))
    assert set().union(*map(ops_of, programs)) == set(OPS)
    decoded = QuasiSymbolic(k)(programs, grounded, [q % 2 for q in range(len(programs))]).decode()
    for program, got in zip(programs, decoded, strict=True):
        try:
            assert got == execute(program, bare), str(program)
        except NotUnique as error:
            assert isinstance(got, NotUnique) and str(got) == str(error)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_masked_objects_beside_others_are_in_no_set(k: Semantics) -> None:
    rng = Random(f"beside{label(k)}")
    domain = random_domain(rng, 4, 3)
    sure = uncertain(rng, domain, k, [6], masked=False)
    yes = k.degree(torch.tensor(True), torch.float64)
    tables = {name: torch.full_like(table, float(yes)) for name, table in tables_of(sure).items()}
    present = torch.tensor([[True, False, True, True, False, False]])
    grounded = Grounded(domain, present, **tables, nothing=k.nothing)
    programs = [p for p in every_op(rng, domain, 4 * len(OPS)) if p.kind in (OBJECTS, OBJECT)]
    for program, got in zip(programs, QuasiSymbolic(k)(programs, grounded, [0] * len(programs)).decode(), strict=True):
        members = got if isinstance(got, tuple) else (got,)
        assert not {1, 4, 5} & set(members), str(program)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_replies_and_traces_say_why_there_is_no_answer(k: Semantics) -> None:
    grounded, soft = ground_crisp([EMPTY, SCENE], k), QuasiSymbolic(k)
    none, good, zero = soft_replies(soft, [COLOR, COLOR, parse_program("count(scene())")], grounded, [0, 1, 0])
    assert none.answer is None and isinstance(none.error, NotUnique) and not none.scores
    assert (good.answer, good.error, zero.answer) == ("red", None, "0")
    shown = trace_soft(COLOR, EMPTY, grounded, soft)
    assert str(shown.error) == str(none.error) and [s.state for s in shown.steps][2:] == ["failed", "not reached"]


# --- tables that say nothing ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=str)
@pytest.mark.parametrize("k", SEMANTICS, ids=label)
@pytest.mark.parametrize("name", ["concepts", "relations", "alike", "words"])
def test_what_is_no_degree_is_named(name: str, k: Semantics, value: float) -> None:
    texts = {
        "concepts": "count(filter[red](scene()))",
        "relations": "count(relate_any[left](scene()))",
        "alike": "distinct[size](scene())",
        "words": "query[color](unique(filter[red](scene())))",
    }
    program, plain = parse_program(texts[name]), parse_program("count(scene())")
    grounded, soft = ground_crisp([SCENE, SCENE, SCENE], k), QuasiSymbolic(k)
    getattr(grounded, name)[1] = value
    first, bad, good, unread = soft([program, program, program, plain], grounded, [0, 1, 2, 1]).decode()
    assert isinstance(bad, ExecutionError) and not isinstance(bad, NotUnique)
    assert str(bad).startswith(f"grounded {name}: scene 1 has {value:g} for ")
    assert first == good == execute(program, SCENE) and unread == 2
    replies = soft_replies(soft, [program, program], grounded, [1, 2])
    assert replies[0].answer is None and isinstance(replies[0].error, ExecutionError)
    assert replies[1].answer == spell(execute(program, SCENE)) and replies[1].error is None
    with pytest.raises(ExecutionError, match=f"grounded {name}: scene 1"):
        trace_soft(program, SCENE, grounded, soft, which=1)
    with pytest.raises(ExecutionError, match=f"grounded {name}: scene 1"):
        influence(program, grounded, soft, scene=1)


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_readers_of_the_tables_refuse_what_is_no_degree(k: Semantics) -> None:
    """The likeliest values of objects, and what a learner is measured by: neither is read off NaN."""
    grounded = ground_crisp([SCENE], k)
    detections = Detections(
        "a", (9, 9), np.zeros((2, 4), np.float32), np.ones(2, np.float32), np.ones(2, np.int64), None
    )
    assert [likeliest_scene(grounded, detections).value(i, "color") for i in range(2)] == ["red", "blue"]
    assert probe(grounded, [SCENE]).classification["color"] == 1
    grounded.words[0, CLEVR.attribute_index["color"], 1, CLEVR.concept_index["red"]] = math.nan
    why = r"grounded words: scene 0 has nan for 'red' as the color of object 1"
    with pytest.raises(ExecutionError, match=why):
        likeliest_scene(grounded, detections)
    with pytest.raises(ExecutionError, match=why):
        probe(grounded, [SCENE])


@settings(max_examples=40)
@given(st.data())
def test_no_answer_is_read_off_a_number_that_is_none(data: st.DataObject) -> None:
    """Over all ops: whatever a broken table can reach has an error; what it cannot reach keeps its answer."""
    domain = data.draw(domains())
    rng = Random(data.draw(st.integers(0, 2**32)))
    k = data.draw(st.sampled_from(SEMANTICS))
    programs = [random_program(rng, domain, max_calls=10) for _ in range(30)]
    clean = uncertain(rng, domain, k, [4], dtype=torch.float32)
    name = rng.choice([n for n, t in tables_of(clean).items() if t.numel()])
    tables = {n: t.clone() for n, t in tables_of(clean).items()}
    flat = tables[name].view(-1)
    flat[rng.randrange(len(flat))] = rng.choice([math.nan, math.inf, -math.inf])
    broken = Grounded(domain, clean.present, **tables, nothing=k.nothing)
    which = [0] * len(programs)
    before, after = (QuasiSymbolic(k)(programs, g, which).decode() for g in (clean, broken))
    for program, want, got in zip(programs, before, after, strict=True):
        assert isinstance(got, ExecutionError) or got == want, f"{name}, {label(k)}: {program}"


@pytest.mark.parametrize("k", [Goedel(), Product()], ids=label)
def test_degrees_lie_in_their_range(k: Semantics) -> None:
    grounded, soft = ground_crisp([SCENE], k), QuasiSymbolic(k)
    grounded.concepts[0, CLEVR.concept_index["red"], 1] = 3.5
    (bad,) = soft([COLOR], grounded).decode()
    wanted = "grounded concepts: scene 0 has 3.5 for 'red' of object 1; degrees are numbers in 0..1"
    assert isinstance(bad, ExecutionError) and str(bad) == wanted


def test_tables_of_another_algebra_are_refused() -> None:
    with pytest.raises(ExecutionError, match="the tables hold logits, the algebra 'product' takes others"):
        QuasiSymbolic(Product())([COLOR], ground_crisp([SCENE], Logit()))
    with pytest.raises(ExecutionError, match=r"the tables hold degrees in 0\.\.1, the algebra 'logit' takes others"):
        QuasiSymbolic(Logit())([COLOR], ground_crisp([SCENE], Goedel()))


# --- a colour is asked for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_an_attribute_is_answered_by_one_of_its_values(k: Semantics) -> None:
    """Whatever the tables say: here that every concept of another attribute is the likelier answer."""
    grounded = ground_crisp([SCENE], k)
    for a, attribute in enumerate(CLEVR.attributes):
        for c, concept in enumerate(CLEVR.concepts):
            if CLEVR.attribute_of[concept] != attribute:
                grounded.words[0, a, :, c] = 12.0 if k.name == "logit" else 1.0
    soft = QuasiSymbolic(k)
    for attribute, answer in (("color", "red"), ("size", "large"), ("shape", "cube"), ("material", "metal")):
        program = parse_program(f"query[{attribute}](unique(filter[red](scene())))")
        assert soft([program], grounded).decode() == [answer]
        assert soft.evaluation()([program], grounded).decode() == [answer]
        assert trace_soft(program, SCENE, grounded, soft).answer == answer
        result = soft([program], grounded)
        assert right_answers(result, torch.tensor([encode_answer(answer, WORD, CLEVR)])).all()
        (reply,) = soft_replies(soft, [program], grounded, [0])
        assert reply.answer == answer and set(reply.scores) <= set(CLEVR.values(attribute))
        assert sum(reply.scores.values()) == pytest.approx(1.0, abs=1e-6)
    blue = parse_program(
        "equal(query[color](unique(filter[red](scene()))), query[color](unique(filter[blue](scene()))))"
    )
    assert soft.evaluation()([blue], grounded).decode() == [False]


@settings(max_examples=40)
@given(st.data())
def test_a_word_is_a_value_of_what_is_asked_for(data: st.DataObject) -> None:
    domain = data.draw(domains())
    rng = Random(data.draw(st.integers(0, 2**32)))
    k = data.draw(st.sampled_from(SEMANTICS))
    programs = [random_program(rng, domain, kind=WORD, max_calls=10) for _ in range(20)]
    grounded = uncertain(rng, domain, k, [5, 1], spread=5.0)
    decoded = QuasiSymbolic(k)(programs, grounded, [q % 2 for q in range(20)]).decode()
    for program, word in zip(programs, decoded, strict=True):
        assert domain.attribute_of[str(word)] == program.steps[-1].unit


# --- learning ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_a_question_without_an_object_costs_a_constant(k: Semantics) -> None:
    programs = [COLOR, parse_program("count(scene())"), COLOR, parse_program("exist(scene())")]
    grounded = ground_crisp([EMPTY, SCENE], k)
    leaves = {name: table.clone().requires_grad_() for name, table in tables_of(grounded).items()}
    result = QuasiSymbolic(k)(programs, Grounded(CLEVR, grounded.present, **leaves, nothing=k.nothing), [0, 0, 1, 0])
    targets = torch.tensor([float(CLEVR.concept_index["red"]), 0.0, float(CLEVR.concept_index["red"]), 0.0])
    losses = answer_losses(result, targets)
    assert losses[0] == MISMATCH and losses.isfinite().all() and (losses[1:] < 2.5).all()
    losses.sum().backward()
    for leaf in leaves.values():
        assert leaf.grad is None or (leaf.grad.isfinite().all() and not leaf.grad[0].any())
    assert right_answers(result, targets).tolist() == [False, True, True, True]


@pytest.mark.parametrize("name", ["logit", "goedel", "product"])
def test_learning_stays_finite_beside_empty_scenes(name: str) -> None:
    """A batch of all kinds of questions, half of them about scenes of which nothing is left."""
    torch.manual_seed(3)
    learner = ConceptLearner(ConceptLearnerConfig(algebra=name))  # type: ignore[arg-type]
    rng = Random(4)
    width = 13
    rows = [Described(EMPTY, torch.randn(n, width)) for n in (0, 3, 0, 5)]
    examples = []
    for q in range(60):
        program = random_program(rng, CLEVR, kind=(TRUTH, NUMBER, WORD)[q % 3], max_calls=10)
        record = QuestionRecord(q, None, None)
        type_ = ("logic", "count", "query")[q % 3]
        target = (1.0, 2.0, float(rng.randrange(len(CLEVR.concepts))))[q % 3]
        examples.append(Example(rows[q % 4], program, target, type_, 0, 1, type_, (), record))
    batch = learner.collate(examples)
    for training in (True, False):
        learner.train(training)
        learner.zero_grad()
        out = learner.loss(batch)
        out.loss.backward()
        assert out.loss.isfinite()
        assert all(p.grad is None or p.grad.isfinite().all() for p in learner.parameters())
    predictions = learner.predict(batch)
    singles = [any(s.gives is OBJECT for s in e.program.steps) for e in examples]
    for q, (answer, single) in enumerate(zip(predictions, singles, strict=True)):
        assert isinstance(answer, NotUnique) is (single and not len(rows[q % 4].rows))

"""The law that ties soft execution to exact execution: on crisp scenes every algebra gives the exact answer.

Random domains, scenes and programs drawn from the op table; three algebras, each with three quantisations. And what
must not matter on any scene, crisp or not: who else is in the batch, padding, the order of the objects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
import torch
from hypothesis import given, note, settings
from hypothesis import strategies as st
from torch import Tensor

from nsreason.dsl.domain import Domain
from nsreason.dsl.kinds import INTEGER, NUMBER, OBJECT, OBJECTS, TRUTH, WORD, Concept, Number, Object, Objects, Truth
from nsreason.dsl.ops import OPS, OpTable, op
from nsreason.errors import ExecutionError, NotUnique
from nsreason.executors import execute
from nsreason.executors.soft.algebras import Goedel, Logit, Product, algebra
from nsreason.executors.soft.executor import QuasiSymbolic, SoftAnswers
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.executors.soft.schedule import Schedule, schedule
from nsreason.programs.program import Call, Program
from nsreason.scenes.scene import Scene
from tests.support.soft_worlds import SEMANTICS, SOFT, label, ops_of, tables_of, uncertain
from tests.support.strategies import domains, random_domain, random_program, random_world

Semantics = Logit | Goedel | Product
SWEEP = 20_000  # cases of the fixed sweep, at least
EXACT_TO = 2**24  # the whole numbers that float32 holds


def typed(answer: Any) -> Any:
    """Pair an answer with its type, as True == 1 in Python."""
    return type(answer), answer


def exact(program: Program, scene: Scene) -> Any:
    """Return the exact answer; None where there is none."""
    try:
        return execute(program, scene)
    except NotUnique:
        return None


def largest(program: Program) -> int:
    """Return the largest number written into the program."""
    numbers = [s.literals[i] for s in program.steps for i, p in enumerate(s.op.literals) if p.kind is INTEGER]
    return max(map(int, numbers), default=0)


def answered(
    rng: Random, domain: Domain, scenes: Sequence[Scene], count: int, dtype: torch.dtype, **kwargs: Any
) -> tuple[list[Program], list[int], list[Any]]:
    """Programs that have an answer on one of the scenes, and no number too large for the precision."""
    programs, which, answers = [], [], []
    for _ in range(count):
        place = rng.randrange(len(scenes))
        aimed = scenes[place] if rng.random() < 0.75 else None
        program = random_program(rng, domain, scene=aimed, **kwargs)
        answer = exact(program, scenes[place])
        if answer is not None and (dtype == torch.float64 or largest(program) <= EXACT_TO):
            programs.append(program)
            which.append(place)
            answers.append(answer)
    return programs, which, answers


def check(
    k: Semantics, plan: Schedule | list[Program], which: list[int], answers: list[Any], grounded: Grounded
) -> None:
    decoded = QuasiSymbolic(k)(plan, grounded, which).decode()
    for q, (answer, got) in enumerate(zip(answers, decoded, strict=True)):
        assert typed(got) == typed(answer), f"{label(k)}: {plan if isinstance(plan, Schedule) else plan[q]}"


# --- the law ---


def test_every_op_and_algebra_gives_the_exact_answer(capsys: pytest.CaptureFixture[str]) -> None:
    """The fixed sweep: the same cases at every run, counted by op, algebra and quantisation."""
    rng = Random(20)
    counts: Counter[tuple[str, str]] = Counter()
    total, batches = 0, 0
    while total < SWEEP:
        domain = random_domain(rng, rng.randint(1, 5), rng.randint(0, 4))
        scenes = [random_world(rng, domain, rng.randint(0, 10)).scene for _ in range(4)]
        dtype = (torch.float32, torch.float64)[batches % 2]
        programs, which, answers = answered(rng, domain, scenes, 64, dtype, max_calls=14)
        batches += 1
        if not programs:
            continue
        plan = schedule(programs)
        for k in SEMANTICS:
            grounded = ground_crisp(scenes, k, dtype=dtype, pad=rng.randint(0, 2))
            check(k, plan if batches % 2 else programs, which, answers, grounded)
            total += len(programs)
            counts.update((name, label(k)) for program in programs for name in ops_of(program))
    with capsys.disabled():
        cases = sum(counts.values())
        print(f"\nsoft agreement: {total:,} programs in {batches} batches, {cases:,} cases of op and algebra")
    least = min(counts[name, label(k)] for name in OPS for k in SEMANTICS)
    assert {name for name, _ in counts} == set(OPS)
    assert least >= 50, f"an op with an algebra was drawn only {least} times"


@settings(max_examples=60)
@given(st.data())
def test_crisp_scenes_have_exact_answers(data: st.DataObject) -> None:
    """The same by drawn cases, which shrink to a small one when they fail."""
    domain = data.draw(domains())
    rng = Random(data.draw(st.integers(0, 2**32)))
    sizes = data.draw(st.lists(st.integers(0, 8), min_size=1, max_size=3))
    scenes = [random_world(rng, domain, n).scene for n in sizes]
    k = data.draw(st.sampled_from(SEMANTICS))
    programs, which, answers = answered(
        rng, domain, scenes, data.draw(st.integers(1, 8)), torch.float32, max_calls=data.draw(st.integers(1, 15))
    )
    if programs:
        note(f"{label(k)}: {[str(p) for p in programs]} on {which}")
        check(k, programs, which, answers, ground_crisp(scenes, k, pad=data.draw(st.integers(0, 2))))


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
@pytest.mark.parametrize("sizes", [(0,), (0, 0, 0), (1,), (64,), (0, 1, 2, 30, 63, 64)], ids=str)
def test_scenes_of_no_and_of_many_objects(k: Semantics, sizes: tuple[int, ...]) -> None:
    rng = Random(f"{sizes}{label(k)}")
    domain = random_domain(rng, 5, 4)
    scenes = [random_world(rng, domain, n).scene for n in sizes]
    programs, which, answers = answered(rng, domain, scenes, 60, torch.float32, max_calls=12)
    assert len(programs) >= 10
    check(k, programs, which, answers, ground_crisp(scenes, k))


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_half_precision_gives_the_exact_answer_too(k: Semantics) -> None:
    rng = Random(f"half{label(k)}")
    domain = random_domain(rng, 5, 4)
    scenes = [random_world(rng, domain, n).scene for n in (0, 1, 5, 10)]
    programs, which, answers = answered(rng, domain, scenes, 80, torch.float32, max_calls=12)
    for dtype in (torch.float16, torch.bfloat16):
        check(k, programs, which, answers, ground_crisp(scenes, k, dtype=dtype))


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_numbers_are_exact_as_far_as_the_precision_reaches(k: Semantics) -> None:
    scene = random_world(Random(0), random_domain(Random(0), 2, 0), 3).scene

    def number(n: int, dtype: torch.dtype) -> Any:
        program = Program([Call("number", (str(n),))], scene.domain)
        return QuasiSymbolic(k)([program], ground_crisp([scene], k, dtype=dtype)).decode()[0]

    for n in (0, 7, 2048, 2049, EXACT_TO - 1, EXACT_TO):
        assert number(n, torch.float32) == number(n, torch.float16) == number(n, torch.bfloat16) == n
    assert number(999_999_999, torch.float64) == 999_999_999
    assert number(999_999_999, torch.float32) == 1_000_000_000  # the documented limit


# --- what must not matter ---


def values_of(answers: SoftAnswers) -> list[Tensor]:
    """The value of each program, in their order."""
    out: list[Any] = [None] * answers.schedule.programs
    for part in answers.parts:
        for q, value in zip(part.questions.tolist(), part.values, strict=True):
            out[q] = value
    return out


def same(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def mixed(rng: Random, domain: Domain, count: int) -> list[Program]:
    """Programs of every kind of answer, not one like the other."""
    return [
        random_program(rng, domain, kind=(TRUTH, NUMBER, WORD, OBJECT, OBJECTS)[q % 5], max_calls=1 + q % 20)
        for q in range(count)
    ]


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_a_batch_gives_each_program_the_value_it_has_alone(k: Semantics) -> None:
    rng = Random(f"batch{label(k)}")
    for _ in range(4):
        domain = random_domain(rng, 4, 4)
        grounded = uncertain(rng, domain, k, [0, 1, 4, 7])
        programs = mixed(rng, domain, 50)
        which = [rng.randrange(4) for _ in programs]
        soft = QuasiSymbolic(k)
        together = soft(programs, grounded, which, keep=True)
        for q, (program, scene, value) in enumerate(zip(programs, which, values_of(together), strict=True)):
            alone = soft([program], grounded, [scene], keep=True)
            same(values_of(alone)[0], value)
            for node in range(len(program)):
                same(alone.value(0, node), together.value(q, node))


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_each_call_of_a_batch_is_its_op_on_its_inputs(k: Semantics) -> None:
    """No schedule, no gathering: the function of each op, applied call by call to the tables of the one scene."""
    rng = Random(f"one{label(k)}")
    domain = random_domain(rng, 4, 4)
    grounded = uncertain(rng, domain, k, [5])
    programs = mixed(rng, domain, 60)
    together = QuasiSymbolic(k)(programs, grounded, [0] * len(programs), keep=True)
    for q, program in enumerate(programs):
        values: list[Tensor] = []
        for node, (step, inputs) in enumerate(zip(program.steps, program.inputs, strict=True)):
            encoded_literals = zip(step.op.literals, step.encoded, strict=True)
            literals = [torch.tensor([e]) if p.kind is INTEGER else e for p, e in encoded_literals]
            value = step.op.apply(k, PlainView(k, grounded), tuple(literals), tuple(values[i] for i in inputs))
            if step.gives is OBJECTS and k.config.quantisation == "everything":
                value = k.harden(value)
            values.append(value)
            same(together.value(q, node), value[0].to(torch.float64))


class PlainView:
    """One scene's tables, read as the documentation of Grounded says."""

    def __init__(self, k: Semantics, grounded: Grounded) -> None:
        self.k, self.g = k, grounded

    def universe(self, sort: str) -> Tensor:
        return self.k.degree(self.g.present[:1], torch.float64)

    def members(self, name: str, literal: Any = None) -> Tensor:
        value: Tensor = getattr(self, name)(literal)
        return value

    table = members

    def concept(self, concept: Any) -> Tensor:
        return self.g.concepts[:1, concept]

    def relation(self, relation: Any) -> Tensor:
        return self.g.relations[:1, relation]

    def converse(self, relation: Any) -> Tensor:
        return self.g.relations[:1, relation].transpose(1, 2)

    def alike(self, attribute: Any) -> Tensor:
        return self.g.alike[:1, attribute]

    def repeats(self, attribute: Any) -> Tensor:
        table = self.alike(attribute).clone()
        for i in range(table.shape[1]):
            table[:, i, : i + 1] = self.g.nothing
        return table

    def values(self, attribute: Any) -> Tensor:
        words = self.g.words[:1, attribute].clone()
        if self.k.hard:  # where execution decides, only values of the attribute stand to choose from
            names = self.g.domain.attributes
            others = [self.g.domain.attribute_of[c] != names[int(attribute)] for c in self.g.domain.concepts]
            words[..., torch.tensor(others)] = self.g.nothing
        return words


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_padding_changes_nothing(k: Semantics) -> None:
    rng = Random(f"padding{label(k)}")
    domain = random_domain(rng, 4, 4)
    grounded = uncertain(rng, domain, k, [1, 3, 6])
    programs = mixed(rng, domain, 100)
    which = [q % 3 for q in range(100)]
    soft = QuasiSymbolic(k)
    plain = values_of(soft(programs, grounded, which))
    padded = values_of(soft(programs, grounded.padded(5), which))
    for program, a, b, scene in zip(programs, plain, padded, which, strict=True):
        if program.kind in (OBJECTS, OBJECT):
            size = (1, 3, 6)[scene]
            same(a[:size], b[:size])
            assert (k.probability(b, program.kind)[size:] == 0).all(), str(program)
        else:
            same(a, b)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_padding_of_crisp_scenes(k: Semantics) -> None:
    """Scenes without objects among them: what has an answer there has it with any padding."""
    rng = Random(f"crisp{label(k)}")
    domain = random_domain(rng, 4, 4)
    scenes = [random_world(rng, domain, n).scene for n in (0, 2, 9)]
    programs, which, answers = answered(rng, domain, scenes, 60, torch.float32, max_calls=12)
    for pad in (1, 7, 60):
        check(k, programs, which, answers, ground_crisp(scenes, k, pad=pad))


@pytest.mark.parametrize("k", SOFT, ids=label)
def test_the_order_of_objects_orders_sets_and_nothing_else(k: Semantics) -> None:
    """On uncertain scenes too. `distinct` asks which object comes first, so there only whole answers are the same."""
    rng = Random(f"order{label(k)}")
    domain = random_domain(rng, 4, 4)
    grounded = uncertain(rng, domain, k, [6, 6])
    order = torch.tensor(rng.sample(range(6), 6))
    turned = Grounded(
        domain,
        grounded.present,
        grounded.concepts[..., order],
        grounded.relations[..., order][:, :, order],
        grounded.alike[..., order][:, :, order],
        grounded.words[:, :, order],
        grounded.nothing,
    )
    programs = [p for p in mixed(rng, domain, 500) if "distinct" not in ops_of(p)]
    assert len(programs) > 200 and set(OPS) - set().union(*map(ops_of, programs)) == {"distinct"}
    which = [q % 2 for q in range(len(programs))]
    plain, moved = (values_of(QuasiSymbolic(k)(programs, g, which)) for g in (grounded, turned))
    for program, a, b in zip(programs, plain, moved, strict=True):
        same(a[order] if program.kind in (OBJECTS, OBJECT) else a, b)


@pytest.mark.parametrize("k", SEMANTICS, ids=label)
def test_objects_of_crisp_scenes_may_come_in_any_order(k: Semantics) -> None:
    rng = Random(f"shuffle{label(k)}")
    domain = random_domain(rng, 4, 4)
    for _ in range(5):
        world = random_world(rng, domain, 6)
        order = rng.sample(range(6), 6)
        place = {old: new for new, old in enumerate(order)}
        record = dict(world.record, objects=[world.record["objects"][i] for i in order])
        record["relationships"] = {
            name: [sorted(place[j] for j in rows[i]) for i in order]
            for name, rows in world.record["relationships"].items()
        }
        grounded = ground_crisp([world.scene, Scene.from_dict(record, domain)], k, dtype=torch.float64)
        programs, _, answers = answered(rng, domain, [world.scene], 40, torch.float64, max_calls=12)
        decoded = QuasiSymbolic(k)(programs, grounded, [1] * len(programs)).decode()
        for program, answer, got in zip(programs, answers, decoded, strict=True):
            if program.kind is OBJECTS:
                assert got == tuple(sorted(place[i] for i in answer))
            else:
                assert got == (place[answer] if program.kind is OBJECT else answer)


def test_one_scene_serves_many_questions_and_none_is_changed() -> None:
    rng = Random(3)
    k = Logit()
    domain = random_domain(rng, 4, 4)
    grounded = uncertain(rng, domain, k, [5, 4])
    before = {name: table.clone() for name, table in tables_of(grounded).items()}
    programs = mixed(rng, domain, 40)
    soft = QuasiSymbolic(k)
    first = values_of(soft(programs, grounded, [0] * 40))
    values_of(soft(programs, grounded, [1] * 40))
    for a, b in zip(first, values_of(soft(programs, grounded, [0] * 40)), strict=True):
        assert torch.equal(a, b)
    for name, table in tables_of(grounded).items():
        assert torch.equal(table, before[name])


# --- ops of one's own ---


def test_ops_of_ones_own_run_softly(own_ops: OpTable) -> None:
    """Written once, over the algebra: constants of their own, two literals, a result that hangs on no scene."""

    @op
    def alone(k: Any, scene: Any, objects: Objects[Any]) -> Truth[Any]:
        return k.equal(k.how_many(objects), k.number(1))

    @op
    def of_either(k: Any, scene: Any, a: Concept, b: Concept, objects: Objects[Any]) -> Objects[Any]:
        return k.both(objects, k.either(scene.members("concept", a), scene.members("concept", b)))

    @op
    def first_value(k: Any, scene: Any) -> Objects[Any]:
        return scene.members("concept", 0)

    @op
    def always(k: Any, scene: Any) -> Truth[Any]:
        return k.less(k.number(0), k.number(1))

    @op
    def if_any(k: Any, scene: Any, number: Number[Any], anchor: Object[Any], objects: Objects[Any]) -> Objects[Any]:
        return k.both(objects, k.negate(k.only(anchor)))

    rng = Random(11)
    domain = random_domain(rng, 3, 2)
    scenes = [random_world(rng, domain, n).scene for n in (0, 3, 6)]
    programs, which, answers = answered(rng, domain, scenes, 400, torch.float32, max_calls=10)
    used = set().union(*map(ops_of, programs))
    assert {"alone", "of_either", "first_value", "always", "if_any"} <= used
    for k in SEMANTICS:
        check(k, programs, which, answers, ground_crisp(scenes, k, pad=1))


def test_an_op_that_branches_is_refused(own_ops: OpTable) -> None:
    @op
    def branches(k: Any, scene: Any, objects: Objects[Any]) -> Number[Any]:
        return k.number(1) if objects else k.number(0)

    domain = random_domain(Random(1), 2, 0)
    plain = Program([Call("scene"), Call("count", (), (0,))], domain)
    program = Program([Call("scene"), Call("branches", (), (0,))], domain)
    with pytest.raises(ExecutionError, match=r"program 1 holds an op that cannot be scheduled: branches\(scene\(\)\)"):
        schedule([plain, program])


# --- what does not fit ---


def test_what_does_not_fit_is_refused() -> None:
    rng = Random(2)
    k = algebra("logit")
    domain, other = random_domain(rng, 2, 1), random_domain(rng, 3, 0)
    scene = random_world(rng, domain, 3).scene
    grounded = ground_crisp([scene, scene], k)
    program = Program([Call("scene"), Call("count", (), (0,))], domain)
    foreign = Program([Call("scene"), Call("count", (), (0,))], other)
    soft = QuasiSymbolic(k)
    with pytest.raises(ExecutionError, match="there is no program to schedule"):
        soft([], grounded)
    with pytest.raises(ExecutionError, match="program 1 is of domain"):
        soft([program, foreign], grounded)
    with pytest.raises(ExecutionError, match="the programs are of domain"):
        soft([foreign], grounded, [0])
    with pytest.raises(ExecutionError, match=r"1 programs need as many scenes, got \(2,\)"):
        soft([program], grounded, [0, 1])
    for wrong in ([-1], [2], torch.tensor([5])):
        with pytest.raises(ExecutionError, match=r"a scene index is outside 0\.\.1"):
            soft([program], grounded, wrong)
    with pytest.raises(ExecutionError, match=r"scenes are named by whole numbers, got torch\.float32"):
        soft([program], grounded, torch.tensor([0.5]))
    broken = Grounded(
        domain, grounded.present, grounded.concepts * float("nan"), grounded.relations, grounded.alike,
        grounded.words, grounded.nothing,
    )  # fmt: skip
    calls = [Call("scene"), Call("filter", (domain.concepts[0],), (0,)), Call("count", (), (1,))]
    (none,) = soft([Program(calls, domain)], broken, [0]).decode()
    assert isinstance(none, ExecutionError) and "grounded concepts: scene 0 has nan" in str(none)


def test_an_op_that_overflows_has_no_answer(own_ops: OpTable) -> None:
    @op
    def huge(k: Any, scene: Any, n: Number[Any]) -> Number[Any]:
        return k.minus(n, k.number(2**200))

    domain = random_domain(Random(2), 2, 1)
    grounded = ground_crisp([random_world(Random(2), domain, 3).scene], Logit())
    one, other = Program([Call("number", ("3",)), Call("huge", (), (0,))], domain), Program([Call("scene")], domain)
    none, good = QuasiSymbolic()([one, other], grounded, [0, 0]).decode()
    assert isinstance(none, ExecutionError) and "a number came out as -inf" in str(none) and good == (0, 1, 2)

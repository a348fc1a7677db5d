"""The law of the executors on worlds of several sorts: a toy video's programs have one answer, whoever computes it.

Brute force over the record, the plain algebra, compiled ops, the trace, the schedule, and soft execution in every
algebra, as on static scenes (`test_agreement`, `soft/test_agreement`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from random import Random
from typing import Any

import pytest
import torch

from nsreason.dsl.domain import Domain
from nsreason.dsl.kinds import INTEGER
from nsreason.dsl.ops import OPS
from nsreason.dsl.tables import TABLES
from nsreason.errors import NotUnique
from nsreason.executors import SceneBatch, execute, execute_batch, execute_values
from nsreason.executors.answers import decode
from nsreason.executors.bitsets import Ambiguous, BitView, tables_of
from nsreason.executors.compiler import PLAIN, combines, compiled
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import GroundedWorlds, ground_worlds
from nsreason.executors.soft.schedule import schedule
from nsreason.programs.canonical import canonical
from nsreason.programs.program import Call, Program
from nsreason.scenes.world import named
from tests.support import brute_force, toy_video
from tests.support.brute_force_video import VideoMeaning
from tests.support.soft_worlds import SEMANTICS, label
from tests.support.strategies import random_program
from tests.support.toy_video import ToyVideo, random_video

PROGRAMS = 800


@pytest.fixture(scope="module")
def domain() -> Iterator[Domain]:
    with toy_video.registered() as registered:
        yield registered


def typed(answer: Any) -> Any:
    """Pair an answer with its type, as True == 1 in Python; an error with its call and what that met."""
    if isinstance(answer, NotUnique):
        return "not unique", answer.node, answer.objects
    return type(answer), answer


def by_brute_force(program: Program, video: ToyVideo) -> Any:
    try:
        return typed(brute_force.evaluate(program, video.record, VideoMeaning))
    except brute_force.NotOne as met:
        return "not unique", met.node, met.objects


def by_plain_algebra(program: Program, video: ToyVideo) -> Any:
    view = BitView(tables_of(video))
    values: list[int] = []
    for node, (step, inputs) in enumerate(zip(program.steps, program.inputs, strict=True)):
        try:
            values.append(step.op.apply(PLAIN, view, step.encoded, tuple(values[i] for i in inputs)))
        except Ambiguous as met:
            return "not unique", node, tuple(i for i in range(64) if met.bits >> i & 1)
    return typed(named(decode(values[-1], program.kind, program.domain), program.kind, video))


def by_interpreter(program: Program, video: ToyVideo) -> Any:
    try:
        return typed(execute(program, video))
    except NotUnique as met:
        return typed(met)


def by_trace(program: Program, video: ToyVideo) -> Any:
    values, error = execute_values(program, video)
    if error is not None:
        return typed(error)
    return typed(named(decode(values[-1], program.kind, program.domain), program.kind, video))


def random_videos(rng: Random, domain: Domain) -> list[ToyVideo]:
    """Four videos, some of them without objects, or without events and so without moments."""
    sizes = [(rng.randint(0, 6), rng.randint(0, 9)) for _ in range(3)] + [(4, 6)]
    return [ToyVideo(random_video(rng, domain, *size), domain) for size in sizes]


def cases(
    rng: Random, domain: Domain, videos: list[ToyVideo], count: int, max_calls: int = 14
) -> tuple[list[Program], list[int]]:
    which = [rng.randrange(len(videos)) for _ in range(count)]
    aimed = [videos[i] if rng.random() < 0.8 else None for i in which]
    return [random_program(rng, domain, max_calls=max_calls, scene=world) for world in aimed], which


# --- the law ---


def test_exact_executors_agree_with_brute_force(domain: Domain) -> None:
    rng = Random(11)
    drawn: Counter[str] = Counter()
    answered = 0
    for _ in range(PROGRAMS // 50):
        videos = random_videos(rng, domain)
        programs, which = cases(rng, domain, videos, 50)
        expected = [by_brute_force(p, videos[i]) for p, i in zip(programs, which, strict=True)]
        batch = [typed(a) for a in execute_batch(programs, SceneBatch(videos), which)]
        for program, place, answer, batched in zip(programs, which, expected, batch, strict=True):
            video = videos[place]
            for reading in (by_plain_algebra, by_interpreter, by_trace):
                assert reading(program, video) == answer, f"{reading.__name__}: {program}"
            assert batched == answer, f"batch: {program}"
            drawn.update({call.op for call in program.calls})
            answered += answer[0] != "not unique"
    assert set(drawn) >= set(toy_video.OP_NAMES), set(toy_video.OP_NAMES) - set(drawn)
    assert min(drawn[name] for name in toy_video.OP_NAMES) >= 10, drawn.most_common()[-3:]
    assert 0.5 < answered / PROGRAMS < 0.98


def test_every_algebra_gives_the_exact_answer(domain: Domain) -> None:
    rng = Random(12)
    drawn: Counter[str] = Counter()
    for number in range(8):
        videos = random_videos(rng, domain)
        dtype = (torch.float32, torch.float64)[number % 2]
        programs, which = cases(rng, domain, videos, 60, max_calls=12)
        kept = [
            (p, i, answer)
            for p, i in zip(programs, which, strict=True)
            if (answer := by_brute_force(p, videos[i]))[0] != "not unique" and largest(p) <= 2**24
        ]
        programs, which = [p for p, _, _ in kept], [i for _, i, _ in kept]
        plan = schedule(programs)
        for k in SEMANTICS:
            decoded = QuasiSymbolic(k)(plan, ground_worlds(videos, k, dtype=dtype), which).decode()
            for (program, place, answer), got in zip(kept, decoded, strict=True):
                soft = typed(named(got, program.kind, videos[place]))
                assert soft == answer, f"{label(k)}: {program}"
        drawn.update({call.op for program in programs for call in program.calls})
    assert set(drawn) >= set(toy_video.OP_NAMES), set(toy_video.OP_NAMES) - set(drawn)


def largest(program: Program) -> int:
    """Return the largest number written into the program."""
    return max(
        [int(s.literals[i]) for s in program.steps for i, p in enumerate(s.op.literals) if p.kind is INTEGER], default=0
    )


@pytest.mark.parametrize("name", toy_video.OP_NAMES)
def test_no_op_falls_back_to_the_interpreter(domain: Domain, name: str) -> None:
    """Else agreement would compare the interpreter with itself."""
    assert combines(OPS[name])
    assert compiled(OPS[name]).__code__.co_filename == f"<op {name}>"


def test_brute_force_knows_every_op(domain: Domain) -> None:
    written = {name for name in dir(VideoMeaning) if not name.startswith("_")}
    assert set(domain.ops) <= written


@pytest.mark.parametrize("table", toy_video.FILLED)
def test_a_corrupted_table_is_noticed(domain: Domain, table: str) -> None:
    """Each table that a video fills, with a bit or a word turned: some program has another answer."""

    class Corrupted(ToyVideo):
        def rows(self, name: str, literal: int) -> Any:
            rows = super().rows(name, literal)
            return turned(rows, name, domain) if name == table else rows

    rng = Random(table)
    for _ in range(40):
        record = random_video(rng, domain, 4, 6)
        video = ToyVideo(record, domain)
        programs, which = cases(rng, domain, [video], 40)
        expected = [by_brute_force(p, video) for p in programs]
        wrong = Corrupted(record, domain)
        exact = [by_interpreter(p, wrong) for p in programs]
        assert exact == [typed(a) for a in execute_batch(programs, [wrong], which)]
        if exact != expected:
            return
    raise AssertionError(f"nothing depends on the table '{table}'")


def turned(rows: Any, name: str, domain: Domain) -> Any:
    """The rows with one bit of each turned, or each word changed."""
    if isinstance(rows, int):
        return rows ^ 2
    if rows and isinstance(rows[0], list):
        return [turned(row, name, domain) for row in rows]
    if TABLES[name].of_words:
        return [(word + 1) % len(domain.concepts) for word in rows]
    return [row ^ 2 for row in rows]


def test_canonical_programs_have_the_same_answers(domain: Domain) -> None:
    rng = Random(13)
    for _ in range(10):
        videos = random_videos(rng, domain)
        programs, which = cases(rng, domain, videos, 30)
        for program, place in zip(programs, which, strict=True):
            before, after = by_brute_force(program, videos[place]), by_brute_force(canonical(program), videos[place])
            # Which of several calls fails first depends on the order of operands.
            assert before == after or before[0] == after[0] == "not unique", str(program)


# --- gradients, errors, size ---


def test_gradients_of_a_soft_video_program(domain: Domain) -> None:
    """Through a closure, a nested table and two sorts."""
    record = random_video(Random(5), domain, 3, 4)
    video = ToyVideo(record, domain)
    calls = [
        *(Call("scene"), Call("events"), Call("of_type", ("collision",), (1,)), Call("first", (), (2,))),
        *(Call("causes", (), (3,)), Call("involving_any", (), (4, 0)), Call("exist_event", (), (5,))),
    ]
    program = Program(calls, domain)
    head = [Call("scene"), Call("filter", ("red",), (0,)), Call("unique", (), (1,)), Call("events")]
    head += [Call("first", (), (3,)), Call("frame_of", (), (4,)), Call("heading", (), (2, 5))]
    nested = Program(head, domain)
    for k in SEMANTICS[::3]:
        crisp = ground_worlds([video], k, dtype=torch.float64)
        generator = torch.Generator().manual_seed(3)
        for asked, names in (
            (program, ("type", "causes", "involves")),
            (nested, ("concept", "at", "headed", "heading")),
        ):
            leaves = []
            for name in names:
                noise = torch.randn(crisp.tables[name].shape, generator=generator, dtype=torch.float64)
                leaves.append((noise if k.nothing < 0 else noise.sigmoid() * 0.8 + 0.1).requires_grad_())

            def score(
                *given: torch.Tensor, asked: Program = asked, names: Any = names, k: Any = k, c: Any = crisp
            ) -> Any:
                tables = {**c.tables, **dict(zip(names, given, strict=True))}
                soft = QuasiSymbolic(k)([asked], GroundedWorlds(domain, c.present, tables, k.nothing), [0])
                return soft.parts[0].values.sum()

            torch.autograd.gradcheck(score, tuple(leaves))
            if k.name == "product":  # the others take the least and the greatest, so some tables have no part
                grads = torch.autograd.grad(score(*leaves), leaves)
                assert all(bool((g != 0).any()) for g in grads), f"{label(k)}: a table has no part in the answer"


def test_errors_name_the_sort(domain: Domain) -> None:
    record = random_video(Random(1), domain, 3, 4)
    video = ToyVideo(record, domain)
    with pytest.raises(NotUnique, match=r"node 1: unique_event\(events\(\)\) met 4 events: 0 \(.* of ") as met:
        execute(Program([Call("events"), Call("unique_event", (), (0,))], domain), video)
    assert met.value.sort == "event"
    empty = ToyVideo(random_video(Random(1), domain, 2, 0), domain)
    program = Program([Call("events"), Call("first", (), (0,)), Call("frame_of", (), (1,))], domain)
    with pytest.raises(NotUnique, match="met no event"):
        execute(program, empty)
    k = SEMANTICS[0]
    (none,) = QuasiSymbolic(k)([program], ground_worlds([empty], k)).decode()
    assert isinstance(none, NotUnique) and none.sort == "event" and "met no event" in str(none)


def test_a_video_too_large_for_the_schedule_goes_to_the_interpreter(domain: Domain) -> None:
    rng = Random(2)
    large, small = (ToyVideo(random_video(rng, domain, 4, n), domain) for n in (70, 5))
    programs, which = cases(rng, domain, [large, small], 40)
    expected = [by_brute_force(p, (large, small)[i]) for p, i in zip(programs, which, strict=True)]
    assert [typed(a) for a in execute_batch(programs, [large, small], which)] == expected


def test_a_moment_is_answered_by_its_frame(domain: Domain) -> None:
    video = ToyVideo(random_video(Random(3), domain, 3, 5), domain)
    program = Program([Call("events"), Call("first", (), (0,)), Call("frame_of", (), (1,))], domain)
    frame = video.record["events"][0]["frame"]
    assert execute(program, video) == execute_batch([program], [video])[0] == frame
    every = Program([Call("frames")], domain)
    assert execute(every, video) == tuple(video.moments) == execute_batch([every], [video])[0]

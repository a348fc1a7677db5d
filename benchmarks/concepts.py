"""What concept learning costs: grounding, soft execution, losses and gradients, at NS-CL's dimensions.

256 features of objects and of pairs, spaces of 64 dimensions, 15 concepts, 4 relations; 32 scenes of up to 10 objects
with 16 questions each. Features are given, as a detector would: no perception below them is in the figure.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import torch

from nsreason.dsl.domain import load_domain
from nsreason.executors.soft.algebras import Logit
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import Grounded
from nsreason.executors.soft.schedule import schedule
from nsreason.models.nscl.data import ConceptData, load_concept_data
from nsreason.models.nscl.losses import answer_losses
from nsreason.perception.features.concept_embeddings import ConceptEmbeddings
from nsreason.perception.features.state_descriptions import StateConfig

from .core import Row, per_second, rate

SCENES, QUESTIONS, WIDTH = 32, 16, 256


def measure_concepts(data: Path, *, seconds: float) -> Iterator[Row]:
    """Grounding alone, and everything that a step of training computes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    try:
        yield from _measure(data, seconds)
    finally:
        gc.unfreeze()
        torch.set_num_threads(threads)


def _measure(data: Path, seconds: float) -> Iterator[Row]:
    domain = load_domain("clevr")
    data_sets = load_concept_data(data / "clevr", domain, StateConfig(), ConceptData(held_out=0.0))
    by_scene: dict[int, list[int]] = {}
    for i, group in enumerate(data_sets.train.groups.tolist()):
        by_scene.setdefault(group, []).append(i)
    # The file has 10 questions a scene: those of half as many further scenes make 16, on the first scenes' objects.
    groups = list(by_scene.values())[: 2 * SCENES]
    programs, targets, which = [], [], []
    for s in range(SCENES):
        for i in (groups[s] + groups[SCENES + s])[:QUESTIONS]:
            programs.append(data_sets.train[i].program)
            targets.append(data_sets.train[i].target)
            which.append(s)
    most = 10
    torch.manual_seed(0)
    embeddings = ConceptEmbeddings(domain, WIDTH, WIDTH)
    objects = torch.randn(SCENES, most, WIDTH, requires_grad=True)
    pairs = torch.randn(SCENES, most, most, WIDTH, requires_grad=True)
    sizes = torch.tensor([data_sets.train[groups[s][0]].n_objects for s in range(SCENES)])
    present = torch.arange(most) < sizes[:, None]
    executor, answers, scene = QuasiSymbolic(Logit()), torch.tensor(targets), torch.tensor(which)

    def ground() -> Grounded:
        return Grounded(domain, present, *embeddings(objects, pairs, present), nothing=executor.algebra.nothing)

    def step() -> None:
        embeddings.zero_grad()
        soft_answers = executor(schedule(programs), ground(), scene)
        answer_losses(soft_answers, answers).mean().backward()

    what = f"{SCENES} scenes of {most} places, NS-CL's dimensions"
    yield per_second(f"grounding alone, scenes, {what}", rate(lambda: ground().concepts, SCENES, seconds))
    name = f"grounding + soft execution + loss, forward + backward, {len(programs)} questions on {what}"
    yield per_second(name, rate(step, len(programs), seconds), 10_000, 20_000)

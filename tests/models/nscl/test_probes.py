"""Probes: perfect degrees score perfectly, known faults are found where they are, and calibration is what it says."""

from __future__ import annotations

import dataclasses
import io

import pytest
import torch

from nsreason.dsl.domain import load_domain
from nsreason.executors import execute
from nsreason.executors.soft.algebras import Goedel, Logit
from nsreason.executors.soft.executor import QuasiSymbolic
from nsreason.executors.soft.grounding import Grounded, ground_crisp
from nsreason.generators import generate_scenes
from nsreason.models.nscl.probes import calibrate, probe
from nsreason.programs.text_reader import parse_program

CLEVR = load_domain("clevr")
SCENES = list(generate_scenes(20, seed=9))
RED, BROWN = CLEVR.concept_index["red"], CLEVR.concept_index["brown"]


@pytest.mark.parametrize("algebra", [Logit(), Goedel()], ids=["logits", "degrees"])
@pytest.mark.parametrize("padding", [0, 3])
def test_what_is_certain_is_right(algebra: Logit | Goedel, padding: int) -> None:
    probes = probe(ground_crisp(SCENES, algebra, pad=padding), SCENES)
    for shares in (probes.classification, probes.concepts, probes.counts, probes.relations, probes.alike):
        assert set(shares.values()) == {1.0}
    assert probes.count == probes.counts_of("color") == 1.0
    assert (probes.scenes, probes.objects) == (20, sum(map(len, SCENES)))
    assert probes.calibration.error < 1e-4 and probes.calibration.brier < 1e-6
    assert [b.count for b in probes.calibration.bins] == [probes.objects * 11, probes.objects * 4]


def blind_to_brown() -> Grounded:
    """Everything brown is taken for red."""
    crisp = ground_crisp(SCENES, Logit())
    concepts, words = crisp.concepts.clone(), crisp.words.clone()
    concepts[:, RED] = torch.maximum(concepts[:, RED], concepts[:, BROWN])
    concepts[:, BROWN] = torch.where(crisp.present, -10.0, crisp.nothing)
    words[..., RED] = torch.maximum(words[..., RED], words[..., BROWN])
    words[..., BROWN] = -10.0
    return dataclasses.replace(crisp, concepts=concepts, words=words)


def test_a_fault_is_found_where_it_is() -> None:
    probes = probe(blind_to_brown(), SCENES)
    brown = [sum(s.value(i, "color") == "brown" for i in range(len(s))) for s in SCENES]
    without = sum(n == 0 for n in brown) / len(SCENES)
    assert 0 < without < 1
    assert probes.counts["brown"] == probes.counts["red"] == pytest.approx(without)
    assert all(v == 1.0 for c, v in probes.counts.items() if c not in ("red", "brown"))
    assert probes.classification["color"] == pytest.approx(1 - sum(brown) / probes.objects)
    assert probes.classification["shape"] == 1.0
    values = CLEVR.values("color")
    row = probes.confusion["color"][values.index("brown")]
    assert row[values.index("red")] == sum(row) == sum(brown)


@pytest.mark.parametrize("concept", ["red", "brown", "cube", "small"])
def test_counts_are_those_of_the_question(concept: str) -> None:
    """`count(filter[red](scene()))`, by hard execution on the same degrees."""
    grounded = blind_to_brown()
    program = parse_program(f"count(filter[{concept}](scene()))")
    answers = QuasiSymbolic(Logit()).evaluation()([program] * len(SCENES), grounded).decode()
    right = [a == execute(program, s) for a, s in zip(answers, SCENES, strict=True)]
    assert probe(grounded, SCENES).counts[concept] == pytest.approx(sum(right) / len(right))


def test_relations_are_told_from_their_inverses() -> None:
    crisp = ground_crisp(SCENES, Logit())
    wrong = dataclasses.replace(crisp, relations=crisp.relations.transpose(-1, -2))
    probes = probe(wrong, SCENES)
    assert set(probes.relations.values()) == {0.0} and set(probes.alike.values()) == {1.0}


def test_calibration() -> None:
    degrees = torch.tensor([0.05, 0.05, 0.95, 0.95, 0.95, 0.95])
    truths = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    calibration = calibrate(degrees, truths)
    assert [(b.low, b.high, b.count) for b in calibration.bins] == [(0.0, 0.1, 2), (0.9, 1.0, 4)]
    assert [b.true for b in calibration.bins] == [0.5, 0.75]
    assert calibration.error == pytest.approx((2 * 0.45 + 4 * 0.2) / 6)
    assert calibration.brier == pytest.approx((0.05**2 + 0.95**2 + 3 * 0.05**2 + 0.95**2) / 6)
    assert calibrate(torch.tensor([1.0, 0.0]), torch.tensor([1.0, 0.0])).error == 0.0
    random = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    honest = torch.rand(20_000, generator=torch.Generator().manual_seed(1)) < random
    assert calibrate(random, honest.float()).error < 0.02
    with pytest.raises(ValueError, match="no degree"):
        calibrate(torch.zeros(0), torch.zeros(0))


def test_it_is_told_as_data_and_as_a_table() -> None:
    from rich.console import Console

    probes = probe(blind_to_brown(), SCENES)
    data = probes.to_dict()
    assert data["count_probes"]["all"] == probes.count and data["counts"]["red"] == probes.counts["red"]
    assert data["calibration"]["bins"][0]["low"] == 0.0
    console = Console(width=100, file=io.StringIO())
    console.print(probes.table())
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "least counted" in text and f"{100 * probes.counts['red']:.2f} %" in text

"""The relation network against one that builds the tensor of pairs: time and peak memory, forward and backward.

    python -m benchmarks.relation_network            # prints the tables; for systems that fork
    python -m benchmarks.relation_network --write    # and renews benchmarks/relation_network_results.md

Each measure runs in a process of its own, on one thread; its time is the least of several passes, in processor time,
and its memory what the process held at most beyond what it held before the first pass. The unsplit network puts all
features of all pairs, padding included, in one tensor, as published implementations do; masking its padding would
make it no faster. Where padding is masked, scenes have 3 to 10 objects, each number alike often, as CLEVR's.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import Tensor, nn

from nsreason.models.answer_networks.relation_network import RelationNetwork, RelationNetworkConfig
from nsreason.training.recipe import load_recipe

from .__main__ import machine

HERE = Path(__file__).resolve().parent
BATCH = 64
# What recipes leave to the data: features of an object, and of a question.
STATE = replace(load_recipe("rn-clevr-state").model_config.relation, objects=13, condition=256)
PIXELS = replace(load_recipe("rn-clevr-pixels").model_config.relation, objects=26, condition=128)
SCALING = RelationNetworkConfig(objects=32, condition=32, classes=10, g=(128, 128, 128), f=(128,), dropout=0.0)
SCALING_SIZES = (8, 16, 32, 64, 128, 256)
KEPT = 256


class Unsplit(nn.Module):
    """The formula as it is usually written: every pair with all its features in one tensor (B, N, N, 2D + Q)."""

    def __init__(self, network: RelationNetwork) -> None:
        super().__init__()
        self.g = nn.Sequential(*(part for layer in network.g for part in (layer, nn.ReLU())))
        self.f = network.f

    def forward(self, objects: Tensor, condition: Tensor) -> Tensor:
        number = objects.shape[1]
        left = objects[:, :, None].expand(-1, -1, number, -1)
        right = objects[:, None].expand(-1, number, -1, -1)
        asked = condition[:, None, None].expand(-1, number, number, -1)
        return self.f(self.g(torch.cat([left, right, asked], -1)).sum((1, 2)))  # type: ignore[no-any-return]


def inputs(config: RelationNetworkConfig, number: int, batch: int) -> tuple[Tensor, Tensor]:
    """Objects (B, N, D) and condition (B, Q), which want gradients as the encoders below do."""
    torch.manual_seed(0)
    objects = torch.randn(batch, number, config.objects, requires_grad=True)
    return objects, torch.randn(batch, config.condition, requires_grad=True)


def three_to_ten(number: int) -> Tensor:
    """A mask (64, N) of scenes with 3 to 10 objects, each number alike often, as CLEVR's are made."""
    return torch.arange(number)[None] < (3 + torch.arange(BATCH) % 8)[:, None]


def passes(what: str) -> Callable[[], Tensor]:
    """What is measured under a name: `config:number:way`."""
    name, size, way = what.split(":")
    number = int(size)
    config = {"state": STATE, "pixels": PIXELS, "scaling": SCALING}[name]
    config = replace(config, dropout=0.0)
    if way == "chunked":
        config = replace(config, chunk=1 << 15)
    if way == "filtered":
        config = replace(config, top_pairs=KEPT)
    batch = 8 if name == "scaling" else BATCH
    network = RelationNetwork(config)
    objects, condition = inputs(config, number, batch)
    unsplit, mask = Unsplit(network), three_to_ten(number) if way == "masked" else None
    if way == "unsplit":
        return lambda: unsplit(objects, condition)
    return lambda: network(objects, condition, mask)


def peak_memory() -> float:
    """The most that the process ever held, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(what: str, repeats: int) -> dict[str, float]:
    """Seconds of a pass, forward and backward, and MB."""
    torch.set_num_threads(1)
    run, took, before = passes(what), [], peak_memory()
    for _ in range(repeats):
        start = time.process_time()  # of this process alone, so that other work on the machine counts less
        run().square().sum().backward()
        took.append(time.process_time() - start)
    return {"seconds": min(took), "megabytes": peak_memory() - before}


def elsewhere(what: str, repeats: int) -> dict[str, float]:
    """`measure`, in a process of its own: a copy of this one, which has computed nothing yet."""
    with get_context("fork").Pool(1) as pool:
        figures = pool.apply(measure, (what, repeats))
    print(what, figures, file=sys.stderr, flush=True)
    return figures


ROWS = [
    ("state:10:unsplit", "states, 10 places, unsplit"),
    ("state:10:split", "the same, split, 10 objects in each scene"),
    ("state:10:masked", "the same, split, 3 to 10 objects, padding masked"),
    ("pixels:64:unsplit", "pixels, 64 cells, unsplit"),
    ("pixels:64:split", "the same, split"),
    ("pixels:64:chunked", "the same, split, chunks of 32,768 pairs"),
]


def tables(repeats: int) -> list[str]:
    """The lines of both tables."""
    lines = ["| what | time | memory | speed against unsplit |", "|---|---|---|---|"]
    base = 1.0
    for what, label in ROWS:
        got = elsewhere(what, repeats if what.startswith("state") else max(1, repeats // 3))  # pixels take seconds
        base = got["seconds"] if what.endswith(":unsplit") else base
        ratio = base / got["seconds"]
        lines.append(f"| {label} | {got['seconds'] * 1e3:,.0f} ms | {got['megabytes']:,.0f} MB | {ratio:.2f} |")
    lines += ["", f"Time against the number of objects, batch 8, g of 128, 128, 128; filtered keeps {KEPT} pairs.", ""]
    lines += ["| objects | pairs | all pairs | memory | filtered | memory |", "|---|---|---|---|---|---|"]
    for number in SCALING_SIZES:
        full, kept = (elsewhere(f"scaling:{number}:{way}", repeats) for way in ("split", "filtered"))
        cells = [f"{r['seconds'] * 1e3:,.1f} ms | {r['megabytes']:,.0f} MB" for r in (full, kept)]
        lines.append(f"| {number} | {number**2:,} | {cells[0]} | {cells[1]} |")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.relation_network", description=__doc__.split("\n")[0])
    parser.add_argument("--write", action="store_true", help="renew benchmarks/relation_network_results.md")
    parser.add_argument("--note", default="", help="a sentence on the machine, for the report")
    parser.add_argument("--repeats", type=int, default=3, help="passes of each measure (default 3)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    on = f"Measured {date.today().isoformat()} on one core of: {machine()}, torch {torch.__version__}."
    lines = ["# The relation network, split and unsplit", "", f"{on} {given.note}".rstrip(), ""]
    about = "Forward and backward, batch 64, the paper's sizes; processor time, and memory beyond the process at rest."
    footer = "Made by `python -m benchmarks.relation_network --write`."
    text = "\n".join([*lines, about, "", *tables(given.repeats), "", footer, ""])
    print(text)
    if given.write:
        (HERE / "relation_network_results.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How well images are seen, and how fast: the renderer, the detector, and answers from pixels both ways.

    python -m benchmarks.perception_data --out data/perception      # the data, once
    python -m benchmarks.perception --data data/perception [--runs runs] [--write]

Measures the bundled weights on images that nothing was learned from. A folder --runs holds further checkpoints,
RUNS/<by>-<what>/best.safetensors (as scene-parser-1000, concept-learner-100, detector-1000), each a row of the tables
of what more or other training data give. --write renews perception_results.md and .json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from .__main__ import HERE, machine

SETS = {"rendered": "rendered-held-out", "real": "real-held-out"}
TYPES = ("count", "exist", "compare number", "compare attribute", "query")
KEPT = ("overall", "by_type", "program_match", "perception")  # of a report
WAYS = ("scene-parser", "concept-learner")
QUESTION = "How many metal things are left of the big red cube?"


def nsreason(*words: str | Path) -> Any:
    """What a command prints as JSON; the last line of it."""
    command = [sys.executable, "-m", "nsreason", *map(str, words), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr or done.stdout}")
    return json.loads(done.stdout)


def rendering(passes: int = 5) -> Iterator[tuple[str, str]]:
    """Images a second on one core: the median of some passes, and the best."""
    import torch

    from nsreason.generators.clevr.images import render_scene
    from nsreason.generators.clevr.scenes import generate_scenes_with_cameras

    torch.set_num_threads(1)
    scenes = list(generate_scenes_with_cameras(30, 3))
    for size in ((480, 320), (64, 64)):
        rates = []
        for _ in range(passes):
            began = time.perf_counter()
            for scene, camera in scenes:
                render_scene(scene, camera, seed=3, size=size)
            rates.append(len(scenes) / (time.perf_counter() - began))
        yield f"{size[0]} x {size[1]}", f"{sorted(rates)[passes // 2]:.1f} images/s (best {max(rates):.1f})"


def detecting(data: Path, detector: Path | None, keep: Path) -> dict[str, dict[str, Any]]:
    """For each set the figures of a detector; its detections are kept for the answers."""
    figures = {}
    for name, folder in SETS.items():
        out = keep / f"{name}.json"
        chosen = ["--checkpoint", detector] if detector else []
        report = nsreason(
            "detect", data / folder / "images", "--instances", data / folder / "instances.json", "--out", out, *chosen
        )
        figures[name] = report["evaluation"]
    return figures


def answering(data: Path, by: str, checkpoint: Path | None, detections: Path) -> dict[str, Any]:
    """For each set how many questions are answered right, by type; the texts are parsed, nothing else is given."""
    out = {}
    for name, folder in SETS.items():
        files = ["--questions", data / folder / "questions.json", "--images", data / folder / "images"]
        chosen = ["--checkpoint", checkpoint] if checkpoint else []
        report = nsreason(
            "evaluate", *files, "--scenes", data / folder / "scenes.json", "--by", by, *chosen,
            "--detections", detections / f"{name}.json", "--programs", "parsed",
        )  # fmt: skip
        out[name] = {key: report[key] for key in KEPT if key in report}
    return out


def cold(image: Path) -> float:
    """Seconds from the start of a process to its answer from an image; the median of three."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "nsreason", "ask", "What number of objects are there?", "--image", str(image)],
            capture_output=True,
            check=True,
        )
        seconds.append(time.perf_counter() - began)
    return sorted(seconds)[1]


def share(score: Any) -> str:
    """An accuracy of a report, with the number of questions."""
    return f"{100 * score['accuracy']:.1f} %" if score else ""


def accuracy_rows(what: str, reports: dict[str, Any]) -> Iterator[str]:
    """The lines of one checkpoint in the table of answers."""
    for name, report in reports.items():
        cells = [share(report["by_type"].get(t)) for t in TYPES]
        yield f"| {what} | {name} | {share(report['overall'])} | {' | '.join(cells)} |"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.perception", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "2")
    record: dict[str, Any] = {"date": date.today().isoformat(), "machine": machine()}
    lines = ["# Perception", "", f"Measured {record['date']} on: {record['machine']}.", ""]
    lines += ["| renderer, one core | |", "|---|---|"]
    record["renderer"] = dict(rendering())
    lines += [f"| {k} | {v} |" for k, v in record["renderer"].items()]
    runs = sorted(p.parent for p in given.runs.glob("*/best.safetensors")) if given.runs else []
    with tempfile.TemporaryDirectory() as kept:
        head = "| detector | images | mask AP | AP50 | AP75 | box AP | every object found | images/s |"
        lines += ["", head, "|---|---|---|---|---|---|---|---|"]
        for folder in [None, *(r for r in runs if r.name.startswith("detector-"))]:
            keep = Path(kept) / (folder.name if folder else "bundled")
            keep.mkdir()
            reports = detecting(given.data, folder / "best.safetensors" if folder else None, keep)
            record.setdefault("detectors", {})[keep.name] = reports
            for name, t in reports.items():
                lines.append(detector_row(keep.name, name, t))
        lines += ["", "| answers | images | all | " + " | ".join(TYPES) + " |", "|---|---|---|" + "---|" * len(TYPES)]
        for by in WAYS:
            for folder in [None, *(r for r in runs if r.name.startswith(by + "-"))]:
                checkpoint = folder / "best.safetensors" if folder else None
                reports = answering(given.data, by, checkpoint, Path(kept) / "bundled")
                what = folder.name if folder else f"{by}, bundled"
                record.setdefault("answers", {})[what] = reports
                lines += accuracy_rows(what, reports)
    image = sorted((given.data / SETS["rendered"] / "images").iterdir())[0]
    record["cold"] = cold(image)
    lines += ["", f"`nsreason ask --image` from process start to answer: {record['cold']:.1f} s.", ""]
    text = "\n".join([*lines, "Made by `python -m benchmarks.perception --write`.", ""])
    print(text)
    if given.write:
        (HERE / "perception_results.md").write_text(text, encoding="utf-8")
        (HERE / "perception_results.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


def detector_row(what: str, name: str, report: dict[str, Any]) -> str:
    """A line of the table of detectors."""
    mask, box = report["segm"], report["bbox"]
    cells = " | ".join(f"{f:.3f}" for f in (mask["AP"], mask["AP50"], mask["AP75"], box["AP"]))
    complete, speed = 100 * report["all_found"], report["images"] / report["seconds"]
    return f"| {what} | {name} | {cells} | {complete:.1f} % | {speed:.1f} |"


if __name__ == "__main__":
    raise SystemExit(main())

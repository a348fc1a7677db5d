"""Run the benchmarks on one core and write their table.

    NSREASON_DATA=/path/to/data python -m benchmarks            # prints the table
    NSREASON_DATA=/path/to/data python -m benchmarks --write    # and renews benchmarks/results.md and results.json
    NSREASON_DATA=/path/to/data python -m benchmarks --soft     # soft execution instead; its files are soft_results.*

The data folder holds `clevr/CLEVR_train_questions.json` and `clevr/CLEVR_train_scenes.json` in the official layout.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from datetime import date
from pathlib import Path

import numpy as np

from . import core

HERE = Path(__file__).resolve().parent


def machine() -> str:
    """The processor, the number of cores, Python and numpy, in one line."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        name = names[0] if names else name
    return f"{name}, {os.cpu_count()} cores, Python {platform.python_version()}, numpy {np.__version__}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("NSREASON_DATA"), help="default: $NSREASON_DATA")
    parser.add_argument("--write", action="store_true", help="renew benchmarks/results.md and results.json")
    parser.add_argument("--large", action="store_true", help="also evaluate 70,000 scenes / 700,000 questions")
    parser.add_argument("--soft", action="store_true", help="measure soft execution, which needs torch, instead")
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each measure repeats (default 2)")
    given = parser.parse_args()
    if given.data is None:
        print("where is the data? set NSREASON_DATA or give --data (see python -m benchmarks --help)", file=sys.stderr)
        return 2
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[-1]})
    data, on, name, made_by = Path(given.data), machine(), "results", "python -m benchmarks --large --write"
    if given.soft:
        import torch

        from . import concepts, soft

        rows = [row.to_dict() for row in soft.measure_soft(data, seconds=given.seconds)]
        rows += [row.to_dict() for row in concepts.measure_concepts(data, seconds=given.seconds)]
        on, name, made_by = f"{on}, torch {torch.__version__}", "soft_results", "python -m benchmarks --soft --write"
    else:
        rows = [row.to_dict() for row in core.measure_all(data, seconds=given.seconds, large=given.large)]
    title = "# Benchmarks of soft execution" if given.soft else "# Benchmarks"
    head = f"Measured {date.today().isoformat()} on one core of: {on}."
    lines = [title, "", head, "", "| what | figure | floor | aim |", "|---|---|---|---|"]
    lines += [f"| {r['what']} | {r['figure']} | {r['floor']} | {r['aim']} |" for r in rows]
    text = "\n".join([*lines, "", f"Made by `{made_by}`.", ""])
    print(text)
    if given.write:
        (HERE / f"{name}.md").write_text(text, encoding="utf-8")
        record = {"date": date.today().isoformat(), "machine": on, "rows": rows}
        (HERE / f"{name}.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`nsreason generate`: synthetic data sets; CLEVR in the layout of the official one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Literal

import typer

from . import options, output

EXAMPLES = (
    "nsreason generate clevr --scenes 100 --seed 7 --out synthetic",
    "nsreason generate clevr --scenes 5 --images --out drawn",
    "nsreason generate clevr --scenes 50 --condition A --family one_hop --out cog",
    "nsreason generate sort-of-clevr --scenes 60 --validation 10 --out sort",
    "nsreason generate springs --scenes 20 --validation 5 --out springs",
)

# What each data set takes; an option that it does not take is refused, not passed over.
TAKES = {
    "clevr": (
        *("questions_per_scene", "seed", "min_objects", "max_objects", "condition", "family", "images", "size"),
        *("split", "jobs"),
    ),
    "sort-of-clevr": ("questions_per_scene", "seed", "validation"),
    "springs": ("seed", "validation", "max_links", "stiffness", "jobs"),
}


def generate(
    context: typer.Context,
    dataset: Annotated[
        Literal["clevr", "sort-of-clevr", "springs"],
        typer.Argument(metavar="DATASET", help="What to make: clevr, sort-of-clevr or springs."),
    ],
    scenes: Annotated[int, typer.Option("--scenes", metavar="N", min=0, help="Scenes to make.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="The folder to write to; it is made.")],
    questions_per_scene: Annotated[
        int, typer.Option("--questions-per-scene", metavar="K", min=0, help="For each; sort-of-clevr: of each kind.")
    ] = 10,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="The same seed makes the same files.")] = 0,
    min_objects: Annotated[int, typer.Option("--min-objects", metavar="N", min=1, help="Fewest in a scene.")] = 3,
    max_objects: Annotated[int, typer.Option("--max-objects", metavar="N", min=1, help="Most in a scene.")] = 10,
    condition: Annotated[
        Literal["A", "B"] | None,
        typer.Option("--condition", help="CoGenT: cubes and cylinders in half of the colors each."),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option("--family", metavar="NAME", help="Only these questions, as one_hop or one_hop/count; repeat."),
    ] = None,
    images: Annotated[bool, options.flag("--images", says="Draw each scene: images, masks, boxes.")] = False,
    size: Annotated[str, typer.Option("--size", metavar="WxH", help="Of the images, in pixels.")] = "480x320",
    split: Annotated[str, typer.Option("--split", metavar="NAME", help="The split's name, in the records.")] = "new",
    validation: Annotated[
        int, typer.Option("--validation", metavar="N", min=0, help="Withhold the last N scenes; not for clevr.")
    ] = 0,
    max_links: Annotated[
        int, typer.Option("--max-links", metavar="N", min=0, max=45, help="springs: most linked pairs.")
    ] = 6,
    stiffness: Annotated[
        str, typer.Option("--stiffness", metavar="LOW,HIGH", help="springs: how stiff they are, drawn from between.")
    ] = "5,20",
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes.")] = 1,
    as_json: options.AsJson = False,
) -> int:
    """Make a data set: scenes, questions, programs, answers.

    clevr: writes scenes.json and questions.json as CLEVR lays them out. Scenes are placed by CLEVR's rules; with
    --images they are drawn in its look, and the folder gets images/*.png, the objects' masks and boxes in scenes.json,
    and instances.json in COCO's layout. Questions are drawn from families that cover all official templates; answers
    are balanced in each family; a question in which a word could be left out is not asked. A scene depends on the seed
    and its number alone, and the answers are balanced in blocks of 64 scenes: fewer scenes make the beginning of the
    same files. Prints how often each type of question has each answer.

    sort-of-clevr: pictures of six flat shapes with questions as bits; train.npz, validation.npz, settings.json and
    sample.png, a picture of the first. springs: balls on a table, some linked by springs or rods, simulated by MuJoCo
    (the extra "physics"); the same files, with strip.png.
    """
    _refuse_others(context, dataset)
    if dataset == "clevr":
        _limits(min_objects, max_objects)
        return _clevr(
            out,
            as_json,
            scenes=scenes,
            questions_per_scene=questions_per_scene,
            seed=seed,
            objects=(min_objects, max_objects),
            condition=condition,
            split=split,
            families=family or None,
            images=_size(size) if images else None,
            jobs=jobs,
        )
    if validation > scenes:
        raise output.UsageError(f"--validation {validation} is more than --scenes {scenes}")
    if dataset == "sort-of-clevr":
        from ..data.synthetic.sort_of_clevr import write_sort_of_clevr

        told = write_sort_of_clevr(
            out, scenes=scenes, validation=validation, seed=seed, questions_per_kind=questions_per_scene
        )
        return _told(dataset, out, told, told["answer_counts"]["train"], "question", as_json)
    from ..data.synthetic.springs import Table, write_springs

    try:
        table = Table(links=(0, max_links), stiffness=_range(stiffness))
    except ValueError as error:
        raise output.UsageError(str(error)) from None
    with _progress() as progress:
        told = write_springs(
            out, scenes=scenes, validation=validation, seed=seed, table=table, jobs=jobs, progress=progress
        )
    return _told(dataset, out, told, {key: told[key] for key in ("systems", "links")}, "of each scene", as_json)


def _refuse_others(context: typer.Context, dataset: str) -> None:
    """Refuse an option that this data set does not take; one that is not given is none."""
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in ("dataset", "scenes", "out", "as_json"):
            continue
        if name not in TAKES[dataset]:
            flags = {p.name: p.opts[0] for p in context.command.params}
            known = ", ".join(flags[n] for n in TAKES[dataset])
            message = f"{flags[name]} does not apply to {dataset}; beside --scenes and --out it has {known}"
            raise output.UsageError(message)


def _limits(fewest: int, most: int) -> None:
    if most < fewest:
        raise output.UsageError(f"--max-objects {most} is less than --min-objects {fewest}")


def _told(
    dataset: str, out: str, told: dict[str, Any], counts: dict[str, dict[str, int]], of: str, as_json: bool
) -> int:
    """What was made: as JSON, or how often there is what."""
    if as_json:
        output.put_json({"dataset": dataset, "out": out, **told})
        return 0
    from rich.table import Table

    title = f"{told['scenes']:,} scenes, {told['validation']:,} of them withheld, in {out}"
    table = Table(title=title, title_justify="left")
    table.add_column(of)
    table.add_column("how often")
    for kind, found in counts.items():
        total = sum(found.values()) or 1
        table.add_row(kind, ", ".join(f"{name} {100 * n / total:.0f}%" for name, n in found.items() if n) or "none")
    output.put_table(table)
    return 0


def _clevr(out: str, as_json: bool, **plan: Any) -> int:
    from ..data.synthetic import write_dataset

    with _progress() as progress:
        summary = write_dataset(out, progress=progress, **plan)
    if as_json:
        output.put_json({"dataset": "clevr", "out": out, **summary.to_dict()})
    else:
        output.put_table(summary.table())
    return 0


def _range(text: str) -> tuple[float, float]:
    """`5,20` as two numbers."""
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        raise output.UsageError(f"--stiffness is two numbers, as 5,20; got '{text}'") from None
    return low, high


def _size(text: str) -> tuple[int, int]:
    """`480x320` as a width and a height."""
    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 16):
        raise output.UsageError(f"--size is as 480x320, 16 pixels or more on each side; got '{text}'")
    return int(width), int(height)


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on a terminal; nothing where standard error goes to a file."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress as rich

    columns = (
        rich.TextColumn("making"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("scenes"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=output.console(sys.stderr), transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""`nsreason generate`: synthetic data sets in the layout of the official ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Literal

import typer

from . import options, output

EXAMPLES = (
    "nsreason generate clevr --scenes 100 --seed 7 --out synthetic",
    "nsreason generate clevr --scenes 5 --images --out drawn",
    "nsreason generate clevr --scenes 50 --condition A --family one_hop --out cog",
)


def generate(
    dataset: Annotated[Literal["clevr"], typer.Argument(metavar="DATASET", help="What to make: clevr.")],
    scenes: Annotated[int, typer.Option("--scenes", metavar="N", min=0, help="Scenes to make.")],
    out: Annotated[str, typer.Option("--out", metavar="DIR", help="The folder to write to; it is made.")],
    questions_per_scene: Annotated[
        int, typer.Option("--questions-per-scene", metavar="K", min=0, help="Questions for each.")
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
    jobs: Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes.")] = 1,
    as_json: options.AsJson = False,
) -> int:
    """Make a data set: scenes, questions, programs, answers.

    Writes scenes.json and questions.json as CLEVR lays them out. Scenes are placed by CLEVR's rules; with --images
    they are drawn in its look, and the folder gets images/*.png, the objects' masks and boxes in scenes.json, and
    instances.json in COCO's layout. Questions are drawn from families that cover all official templates; answers are
    balanced in each family; a question in which a word could be left out is not asked. A scene depends on the seed
    and its number alone, and the answers are balanced in blocks of 64 scenes: fewer scenes make the beginning of the
    same files.

    Prints how often each type of question has each answer.
    """
    from ..data.synthetic import write_dataset

    if max_objects < min_objects:
        raise output.UsageError(f"--max-objects {max_objects} is less than --min-objects {min_objects}")
    with _progress() as progress:
        summary = write_dataset(
            out,
            scenes=scenes,
            questions_per_scene=questions_per_scene,
            seed=seed,
            objects=(min_objects, max_objects),
            condition=condition,
            split=split,
            families=family or None,
            images=_size(size) if images else None,
            jobs=jobs,
            progress=progress,
        )
    if as_json:
        output.put_json({"dataset": dataset, "out": out, **summary.to_dict()})
    else:
        output.put_table(summary.table())
    return 0


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

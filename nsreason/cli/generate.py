"""`nsreason generate ...`: synthetic data sets; CLEVR in the layout of the official one."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from . import checks, options, output, progress

EXAMPLES = (
    "nsreason generate clevr --scenes 5 --images --out drawn",
    "nsreason generate sort-of-clevr --scenes 60 --validation 10 --out sort",
    "nsreason generate clevr --help",
)
CLEVR_EXAMPLES = (
    "nsreason generate clevr --scenes 100 --seed 7 --out synthetic",
    "nsreason generate clevr --scenes 5 --images --size 240x160 --out small",
    "nsreason generate clevr --scenes 50 --condition A --family one_hop --out cog",
)
SORT_OF_CLEVR_EXAMPLES = ("nsreason generate sort-of-clevr --scenes 60 --validation 10 --out sorted",)
SPRINGS_EXAMPLES = ("nsreason generate springs --scenes 20 --validation 5 --out springs",)

Scenes = Annotated[int, typer.Option("--scenes", metavar="N", min=0, help="Scenes to make.")]
Out = Annotated[str, typer.Option("--out", metavar="DIR", help="The folder to write to; it is made.")]
Overwrite = Annotated[
    bool, options.flag("--overwrite", says="Put it in the place of a data set in --out; other files there stay.")
]
Validation = Annotated[
    int, typer.Option("--validation", metavar="N", min=0, help="Withhold the last N scenes, in a file of their own.")
]


def generate() -> None:
    """Make a data set: scenes, questions, programs, answers.

    Each data set has options of its own: `nsreason generate DATASET --help`.
    """


QuestionsPerScene = Annotated[
    int, typer.Option("--questions-per-scene", metavar="K", min=0, help="Questions of each scene.")
]
QuestionsPerKind = Annotated[
    int, typer.Option("--questions-per-scene", metavar="K", min=0, help="Questions of each of the two kinds, a scene.")
]
MinObjects = Annotated[int, typer.Option("--min-objects", metavar="N", min=1, help="Fewest in a scene.")]
MaxObjects = Annotated[int, typer.Option("--max-objects", metavar="N", min=1, help="Most in a scene.")]
Condition = Annotated[
    Literal["A", "B"] | None,
    typer.Option("--condition", help="CoGenT: cubes and cylinders in half of the colors each."),
]
Families = Annotated[
    list[str] | None,
    typer.Option("--family", metavar="NAME", help="Only these questions, as one_hop or one_hop/count; repeat."),
]
WithImages = Annotated[bool, options.flag("--images", says="Draw each scene: images, masks, boxes.")]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="Of the --images, in pixels.")]
Split = Annotated[str, typer.Option("--split", metavar="NAME", help="The split's name, in the records.")]
MaxLinks = Annotated[int, typer.Option("--max-links", metavar="N", min=0, max=45, help="Most linked pairs.")]
Stiffness = Annotated[
    str, typer.Option("--stiffness", metavar="LOW,HIGH", help="How stiff springs are, drawn from between.")
]


def clevr(
    context: typer.Context,
    scenes: Scenes,
    out: Out,
    questions_per_scene: QuestionsPerScene = 10,
    seed: options.Seed = 0,
    min_objects: MinObjects = 3,
    max_objects: MaxObjects = 10,
    condition: Condition = None,
    family: Families = None,
    images: WithImages = False,
    size: Size = "480x320",
    split: Split = "new",
    jobs: options.Jobs = 1,
    overwrite: Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Make scenes and questions by CLEVR's rules, with programs and answers; with --images, pictures.

    Writes scenes.json and questions.json in CLEVR's layout; with --images also images/*.png, drawn in CLEVR's look, the
    objects' masks and boxes in scenes.json, and instances.json in COCO's layout.

    Questions are drawn from families that cover all official templates; answers are balanced in each family; a question
    in which a word could be left out is not asked. A scene depends on the seed and its number alone, and the answers
    are balanced in blocks of 64 scenes: fewer scenes make the beginning of the same files.

    Prints how often each type of question has each answer.
    """
    pixels = _size(size) if images else None
    if max_objects < min_objects:
        raise output.UsageError(f"--max-objects {max_objects} is less than --min-objects {min_objects}")
    if not images:
        options.refuse(context, ("size",), "is for --images, which is not given")
    if not questions_per_scene:
        options.refuse(context, ("family",), "is of questions, of which --questions-per-scene 0 makes none")
    checks.new_folder(out, "--out")
    from ..generators import write_dataset

    with progress.counted("making", "scenes", scenes) as count, output.step(f"wrote {out}"):
        summary = write_dataset(
            out,
            progress=count,
            scenes=scenes,
            questions_per_scene=questions_per_scene,
            seed=seed,
            objects=(min_objects, max_objects),
            condition=condition,
            split=split,
            families=family or None,
            images=pixels,
            jobs=jobs,
            overwrite=overwrite,
        )
    if as_json:
        output.put_json({"dataset": "clevr", "out": out, **summary.to_dict()})
        return 0
    output.put_table(summary.table())
    return 0


def sort_of_clevr(
    scenes: Scenes,
    out: Out,
    questions_per_scene: QuestionsPerKind = 10,
    validation: Validation = 0,
    seed: options.Seed = 0,
    overwrite: Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Make pictures of six flat shapes, with questions as bits: relational ones, and ones of a single object.

    Writes train.npz, validation.npz, settings.json and sample.png, a picture of the first scene with its questions.
    """
    _withheld(validation, scenes)
    checks.new_folder(out, "--out")
    from ..generators.sort_of_clevr import write_sort_of_clevr

    with output.step(f"wrote {out}"):
        settings = write_sort_of_clevr(
            out,
            scenes=scenes,
            validation=validation,
            seed=seed,
            questions_per_kind=questions_per_scene,
            overwrite=overwrite,
        )
    return _print("sort-of-clevr", out, settings, settings["answer_counts"]["train"], "question", as_json)


def springs(
    context: typer.Context,
    scenes: Scenes,
    out: Out,
    validation: Validation = 0,
    seed: options.Seed = 0,
    max_links: MaxLinks = 6,
    stiffness: Stiffness = "5,20",
    jobs: options.Jobs = 1,
    overwrite: Overwrite = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Make balls on a table, some linked by springs or rods, simulated by MuJoCo.

    Needs the extra `physics`: in a checkout, `pip install '.[physics]'`. Writes train.npz, validation.npz,
    settings.json and strip.png, a picture of the first scene.
    """
    _withheld(validation, scenes)
    checks.new_folder(out, "--out")
    if not max_links:
        options.refuse(context, ("stiffness",), "is of springs, of which --max-links 0 makes none")
    low, high = _range(stiffness)
    from ..generators.springs.generate import SimulationConfig, write_springs

    try:
        table = SimulationConfig(links=(0, max_links), stiffness=(low, high))
    except ValueError as error:
        raise output.UsageError(str(error)) from None
    with progress.counted("making", "scenes", scenes) as count, output.step(f"wrote {out}"):
        settings = write_springs(
            out,
            scenes=scenes,
            validation=validation,
            seed=seed,
            table=table,
            jobs=jobs,
            overwrite=overwrite,
            progress=count,
        )
    counts = {key: settings[key] for key in ("systems", "links")}
    return _print("springs", out, settings, counts, "of each scene", as_json)


COMMANDS = {
    "clevr": (clevr, CLEVR_EXAMPLES),
    "sort-of-clevr": (sort_of_clevr, SORT_OF_CLEVR_EXAMPLES),
    "springs": (springs, SPRINGS_EXAMPLES),
}


def _withheld(validation: int, scenes: int) -> None:
    if validation > scenes:
        raise output.UsageError(f"--validation {validation} is more than --scenes {scenes}")


def _print(
    dataset: str, out: str, settings: dict[str, Any], counts: dict[str, dict[str, int]], of: str, as_json: bool
) -> int:
    """Print what was made: as JSON, or how often there is what."""
    if as_json:
        output.put_json({"dataset": dataset, "out": out, **settings})
        return 0
    from ..pages.tables import ReportTable, TableRow, text_columns

    title = f"{settings['scenes']:,} scenes, {settings['validation']:,} of them withheld, in {out}"
    rows = []
    for kind, times in counts.items():
        total = sum(times.values()) or 1
        shares = ", ".join(f"{name} {100 * n / total:.0f}%" for name, n in times.items() if n)
        rows.append(TableRow(kind, (shares or "none",)))
    output.put_table(ReportTable(of, text_columns("how often"), tuple(rows), title=title))
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

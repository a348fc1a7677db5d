"""Options that several commands take, written once, and what typer asks for when it completes a word."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal, Self

import typer

from . import output

# The table is in nsreason.programs.dialects; naming it again keeps `--help` from importing it. A test compares them.
DIALECTS = "nested, postfix, clevr, clevr-raw, ns-vqa, ns-cl"


def complete_dialect(incomplete: str) -> list[str]:
    """The dialects that begin so."""
    return [name for name in DIALECTS.split(", ") if name.startswith(incomplete)]


def complete_domain(incomplete: str) -> list[str]:
    """The bundled domains that begin so."""
    from ..dsl.domain import bundled_domains

    return [name for name in bundled_domains() if name.startswith(incomplete)]


def complete_op(incomplete: str) -> list[str]:
    """The ops that begin so."""
    from ..dsl.ops import OPS

    return [name for name in OPS if name.startswith(incomplete)]


def flag(*names: str, says: str) -> Any:
    """An option that takes no value; left to itself, the help says `<bool>` behind its name."""
    return typer.Option(*names, help=says, metavar="")


def given(context: typer.Context) -> dict[str, str]:
    """The options of the command line, by parameter: as `--html`; those left at their defaults are not among them."""
    names: dict[str, str] = {}
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and parameter.opts[0].startswith("-"):
            names[name] = max(parameter.opts, key=len)
    return names


def refuse(context: typer.Context, names: Iterable[str], why: str) -> None:
    """Refuse options that would have no effect beside others: an option is never passed over without a word.

    Args:
        names: their parameters.
        why: what the message says after the option's name.

    Raises:
        UsageError: one of them is on the command line.
    """
    there = given(context)
    for name in names:
        if name in there:
            raise output.UsageError(f"{there[name]} {why}")


def set_by(
    context: typer.Context, keys: Mapping[str, str], values: Mapping[str, Any], set_: Iterable[str]
) -> list[str]:
    """Options that stand for a key of a recipe, as `--set` has them: `--seed 3` as `training.seed=3`.

    Args:
        keys: parameter -> key of the recipe. values: parameter -> its value; None leaves the recipe's.

    Raises:
        UsageError: `--set` names the key, too.
    """
    there = given(context)
    named = {text.partition("=")[0].strip().rpartition(":")[2] for text in set_}
    overrides = []
    for name, key in keys.items():
        if values[name] is None:
            continue
        if key in named:
            raise output.UsageError(f"{there[name]} and --set {key}=... set the same value; give one of them")
        overrides.append(f"{key}={values[name]}")
    return overrides


SEEDS = 2**32  # what torch, numpy and Python's generators all take
DeviceName = Literal["auto", "cpu", "cuda", "mps"]
_DEVICE = "Where to compute: auto takes a GPU where there is one."
_BATCH = "How many are computed at once: images, or questions."
_SEED = "Of all random draws: the same seed, the same result."

Device = Annotated[DeviceName, typer.Option("--device", help=_DEVICE)]
RecipeDevice = Annotated[DeviceName | None, typer.Option("--device", help=_DEVICE, show_default="the recipe's")]
BatchSize = Annotated[int | None, typer.Option("--batch-size", metavar="N", min=1, help=_BATCH)]
RecipeBatchSize = Annotated[
    int | None, typer.Option("--batch-size", metavar="N", min=1, help=_BATCH, show_default="the recipe's")
]
Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, max=SEEDS - 1, help=_SEED)]
OwnSeed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, max=SEEDS - 1, help=_SEED, show_default="none")
]
RecipeSeed = Annotated[
    int | None, typer.Option("--seed", metavar="N", min=0, max=SEEDS - 1, help=_SEED, show_default="the recipe's")
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", metavar="N", min=1, help="Processes.")]


def _quiet(wanted: bool) -> bool:
    if wanted:
        output.level.quiet = True
    return wanted


def _verbose(context: typer.Context, wanted: bool) -> bool:
    if wanted and "quiet" in given(context):
        raise output.UsageError("--quiet and --verbose contradict each other; give one of them")
    if wanted:
        output.level.verbose = True
    return wanted


Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="The result alone: no remarks, no progress.", metavar="", callback=_quiet, is_eager=True
    ),
]
Verbose = Annotated[
    bool,
    typer.Option(
        "--verbose", help="Also what is read, loaded and written, and how long it took.", metavar="", callback=_verbose
    ),
]
Domain = Annotated[
    str,
    typer.Option(
        "--domain",
        metavar="NAME|FILE.toml",
        help="What the scenes are about: a bundled domain, or your own file.",
        autocompletion=complete_domain,
    ),
]
ParserName = Annotated[
    str,
    typer.Option(
        "--parser",
        metavar="NAME",
        help="What reads the questions: [bold]grammar[/bold], or a parser of your own, as [bold]module:Class[/bold].",
    ),
]
AsJson = Annotated[bool, flag("--json", says="Print JSON: one object, or one a line for several inputs.")]
Program = Annotated[
    str,
    typer.Argument(metavar="PROGRAM", help="The program; [bold]@FILE[/bold] reads a file, [bold]-[/bold] stdin."),
]
Source = Annotated[
    str,
    typer.Option(
        "--from",
        metavar="DIALECT",
        help=f"How the program is written: {DIALECTS}.",
        autocompletion=complete_dialect,
    ),
]
Lines = Annotated[bool, flag("--lines", says="The text holds one program a line.")]
SceneFile = Annotated[
    str,
    typer.Option(
        "--scene",
        metavar="FILE",
        help="A JSON file of one scene or many; [bold]-[/bold] is stdin, .gz is unpacked.",
    ),
]
Index = Annotated[int | None, typer.Option("--index", metavar="N", help="Take the scene with this image_index.")]
Image = Annotated[str | None, typer.Option("--image", metavar="NAME", help="Take the scene with this image_filename.")]
Trust = Annotated[
    bool,
    flag("--trust", says="Let a checkpoint or a run's recipe name its own module, which is imported: its code runs."),
]
WithTrace = Annotated[bool, flag("--trace", says="Show what every call of the program gave.")]
Html = Annotated[
    str | None,
    typer.Option("--html", metavar="OUT.html", help="Write the trace as one web page that needs no network."),
]
Png = Annotated[
    str | None,
    typer.Option("--png", metavar="OUT.png", help="Write the trace as one picture, with a panel for every call."),
]
ImageFile = Annotated[
    str | None,
    typer.Option("--image-file", metavar="IMAGE", help="The scene's picture, to be part of that page or picture."),
]
Checkpoint = Annotated[
    str | None,
    typer.Option(
        "--checkpoint", metavar="FILE", help="A trained concept learner, such as runs/first/best.safetensors."
    ),
]


def own_domain(context: typer.Context) -> str | None:
    """The domain of --domain; None where it is not given."""
    return context.params["domain"] if "domain" in given(context) else None


@dataclass(frozen=True)
class CommandRequest:
    """The parameters of a command, for functions that take them together; a command adds its own as fields."""

    context: typer.Context

    @classmethod
    def of(cls, context: typer.Context) -> Self:
        """The parameters of the command that runs."""
        return cls(context, **{f.name: context.params[f.name] for f in fields(cls) if f.name != "context"})

    @property
    def own_domain(self) -> str | None:
        """See `own_domain`."""
        return own_domain(self.context)

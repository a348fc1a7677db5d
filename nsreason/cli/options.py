"""Options that several commands take, written once, and what typer asks for when it completes a word."""

from __future__ import annotations

from typing import Annotated, Any

import typer

# nsreason.dialects has the table; naming it here again keeps `--help` from importing it. A test compares them.
DIALECTS = "nested, postfix, clevr, clevr-raw, ns-vqa, ns-cl"


def complete_dialect(incomplete: str) -> list[str]:
    """The dialects that begin so."""
    return [name for name in DIALECTS.split(", ") if name.startswith(incomplete)]


def complete_domain(incomplete: str) -> list[str]:
    """The bundled domains that begin so."""
    from ..domain import bundled_domains

    return [name for name in bundled_domains() if name.startswith(incomplete)]


def complete_op(incomplete: str) -> list[str]:
    """The ops that begin so."""
    from ..ops import OPS

    return [name for name in OPS if name.startswith(incomplete)]


def flag(*names: str, says: str) -> Any:
    """An option that takes no value; left to itself, the help says `<bool>` behind its name."""
    return typer.Option(*names, help=says, metavar="")


Domain = Annotated[
    str,
    typer.Option(
        "--domain",
        metavar="NAME|FILE.toml",
        help="What the scenes are about: a bundled domain, or your own file.",
        autocompletion=complete_domain,
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
    typer.Option("--checkpoint", metavar="FILE", help="A trained concept learner, such as runs/first/best.json."),
]

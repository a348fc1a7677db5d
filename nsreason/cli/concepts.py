"""`nsreason concepts`: what a trained concept learner knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import checks, options, output

if TYPE_CHECKING:
    from rich.table import Table

    from ..concept_learner import ConceptLearner
    from ..probes import Probes

EXAMPLES = (
    "nsreason generate clevr --scenes 40 --out data",
    "nsreason train concept-learner --recipe clevr-state-quick --data data \\\n"
    "    --set training.epochs=2 --out runs/first --resume",
    "nsreason concepts runs/first/last.json --data data --plot concepts.html",
    "nsreason evaluate runs/first/last.json --data data",
    "nsreason demo --out demo",
    'nsreason ask "Is there a cube?" --scene demo/scene.json --trace \\\n    --checkpoint runs/first/last.json',
)


def concepts(
    checkpoint: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="A trained concept learner.")],
    data: Annotated[
        str | None,
        typer.Option("--data", metavar="DIR", help="Scenes with questions: adds confusion tables and probes."),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option("--plot", metavar="FILE.png|FILE.html", help="Draw the spaces, with the objects of --data."),
    ] = None,
    device: options.Device = "cpu",
    trust: options.Trust = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Show what a concept learner has learned of each concept.

    For each concept: the nearest other value of its attribute, and the attribute's space that it belongs to most. With
    --data also which values are taken for which, and how well its objects are counted.
    """
    if plot is not None and not plot.lower().endswith((".png", ".html")):
        raise output.UsageError(f"--plot takes the name of a .png or .html file, got '{plot}'")
    checks.output_file(plot, "--plot")
    checks.checkpoint(checkpoint, "concept-learner")
    if data is not None:
        checks.folder(data, "--data")
    from ..embedding_view import belonging, maps, nearest, to_html, to_png
    from . import learned

    learner = learned.load_learner(checkpoint, device, trust=trust)
    examples = [] if data is None else learned.examples_of(learner, data, "all", "", "given")
    probes = learned.probed(learner, examples) if examples else None
    near, weights = nearest(learner), belonging(learner)
    if plot is not None:
        seen = {id(e.described): e.described.scene for e in examples}
        scenes = [scene for scene in seen.values() if scene is not None]
        found = maps(learner, scenes)
        page = plot.lower().endswith(".html")
        learned.write_file(plot, to_html(found, checkpoint).encode() if page else to_png(found))
        output.remark(f"wrote {plot}")
    if as_json:
        told: dict[str, Any] = {"nearest": {c: {"value": v, "cosine": x} for c, (v, x) in near.items()}}
        told["belongs"] = weights
        if probes is not None:
            told["probes"] = probes.to_dict()
        output.put_json(told)
        return 0
    output.put_table(_table(learner, near, weights, probes))
    if probes is not None:
        for attribute in learner.domain.attributes:
            output.put_table(_confusion(learner, attribute, probes))
        output.put_table(probes.table())
    return 0


def _table(
    learner: ConceptLearner,
    near: dict[str, tuple[str, float]],
    weights: dict[str, dict[str, float]],
    probes: Probes | None,
) -> Table:
    from rich.table import Table

    table = Table(title="concepts", title_justify="left", title_style="bold", header_style="dim")
    for name in ("concept", "attribute", "nearest value", "belongs most to"):
        table.add_column(name)
    if probes is not None:
        table.add_column("counted", justify="right")
    for concept in learner.domain.concepts:
        other = f"{near[concept][0]} ({near[concept][1]:+.2f})" if concept in near else "-"
        space = max(weights[concept], key=lambda a: weights[concept][a])
        cells = [concept, learner.domain.attribute_of[concept], other, f"{space} ({weights[concept][space]:.2f})"]
        table.add_row(*cells, *([] if probes is None else [f"{100 * probes.counts[concept]:.2f} %"]))
    return table


def _confusion(learner: ConceptLearner, attribute: str, probes: Probes) -> Table:
    from rich.table import Table

    values = learner.domain.values(attribute)
    table = Table(title=f"{attribute}: value, and taken for", title_justify="left", header_style="dim")
    table.add_column("")
    for value in values:
        table.add_column(value, justify="right")
    for value, row in zip(values, probes.confusion[attribute], strict=True):
        table.add_row(value, *(f"{n:,}" if n else "" for n in row))
    return table

"""`nsreason concepts`: what a trained concept learner knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import checks, options, output

if TYPE_CHECKING:
    from ..dsl.domain import Domain
    from ..models.nscl.concepts_page import Knowledge
    from ..models.nscl.probes import Probes
    from ..pages.tables import ReportTable

EXAMPLES = (
    "nsreason generate clevr --scenes 40 --out taught",
    "nsreason train concept-learner --recipe clevr-state-quick --data taught \\\n"
    "    --set training.epochs=2 --out runs/first --resume",
    "nsreason concepts runs/first/last.safetensors --data taught \\\n    --plot concepts.html",
    "nsreason evaluate runs/first/last.safetensors --data taught",
    "nsreason demo --out demo",
    'nsreason ask "Is there a cube?" --scene demo/scene.json --trace \\\n    --checkpoint runs/first/last.safetensors',
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

    For each concept: the nearest other value of its attribute, and its weights in its attribute's space and in
    `others`, which is of no attribute. With --data also the space in which it is decided, which values are taken for
    which, and how well its objects are counted.

    A large weight in `others` is no fault: weights are one factor of a score, and where objects lie far from a concept,
    as they do in `others`, the other factor is next to nothing. `decided in` tells what a score is made of.
    """
    if plot is not None and not plot.lower().endswith((".png", ".html")):
        raise output.UsageError(f"--plot takes the name of a .png or .html file, got '{plot}'")
    checks.output_file(plot, "--plot")
    checks.checkpoint(checkpoint, "concept-learner")
    if data is not None:
        checks.folder(data, "--data")
    known = _knowledge(checkpoint, data, device, trust)
    if plot is not None:
        _draw(known, plot)
    if as_json:
        output.put_json(_record(known))
        return 0
    output.put_table(_table(known))
    if known.probes is not None:
        for attribute in known.domain.attributes:
            output.put_table(_confusion(known.domain, attribute, known.probes))
        output.put_table(known.probes.table())
    return 0


def _knowledge(checkpoint: str, data: str | None, device: options.DeviceName, trust: bool) -> Knowledge:
    """What the learner of a checkpoint knows, with probes where there is data."""
    from ..models.nscl.concepts_page import Knowledge
    from ..models.nscl.embedding_maps import belonging, deciding, maps, nearest, objects_of
    from . import concept_learners

    learner = concept_learners.load_learner(checkpoint, device, trust=trust)
    examples = [] if data is None else concept_learners.examples_of(learner, data, "all", "", "given")
    objects = objects_of(learner, concept_learners.annotated(examples))
    return Knowledge(
        learner.domain,
        maps(learner, objects),
        nearest(learner),
        belonging(learner),
        {} if objects is None else deciding(learner, objects),
        concept_learners.probed(learner, examples) if examples else None,
        {"checkpoint": checkpoint} | ({} if data is None else {"data": data}),
    )


def _draw(known: Knowledge, plot: str) -> None:
    """Write the maps as a page or as a picture."""
    from ..models.nscl.concepts_map import to_png
    from ..models.nscl.concepts_page import page
    from . import concept_learners

    html = plot.lower().endswith(".html")
    concept_learners.write_file(plot, page(known).encode() if html else to_png(known.maps))
    output.remark(f"wrote {plot}")


def _record(known: Knowledge) -> dict[str, Any]:
    """What is known as plain data."""
    record: dict[str, Any] = {"nearest": {c: {"value": v, "cosine": x} for c, (v, x) in known.nearest.items()}}
    record["belongs"] = known.belonging
    if known.deciding:
        record["decides"] = known.deciding
    if known.probes is not None:
        record["probes"] = known.probes.to_dict()
    return record


def _table(known: Knowledge) -> ReportTable:
    from ..pages.tables import Heading, ReportTable, TableRow, text_columns

    others = any(known.others(c) is not None for c in known.belonging)
    columns: list[Heading | str] = [*text_columns("attribute", "nearest value"), "own space"]
    columns += ["others"] if others else []
    columns += text_columns("decided in") if known.deciding else ()
    columns += [] if known.probes is None else ["counted"]
    rows = []
    for concept in known.domain.concepts:
        near, decided = known.nearest.get(concept), known.decided(concept)
        cells = [known.domain.attribute_of[concept], f"{near[0]} ({near[1]:+.2f})" if near else "-"]
        cells.append(f"{known.own(concept):.2f}")
        cells += [f"{known.others(concept) or 0:.2f}"] if others else []
        if known.deciding:
            cells.append("-" if decided is None else f"{decided[0]} ({100 * decided[1]:.0f} %)")
        cells += [] if known.probes is None else [f"{100 * known.probes.counts[concept]:.2f} %"]
        rows.append(TableRow(concept, tuple(cells)))
    legend = "own space, others: how much it belongs there, a weight"
    if known.deciding:
        legend += "; decided in: the space with the largest share of the score of objects that have the value"
    return ReportTable("concept", tuple(columns), tuple(rows), title="concepts", caption=legend)


def _confusion(domain: Domain, attribute: str, probes: Probes) -> ReportTable:
    from ..pages.tables import ReportTable, TableRow

    values = domain.values(attribute)
    rows = tuple(
        TableRow(value, tuple(f"{n:,}" if n else "" for n in counts))
        for value, counts in zip(values, probes.confusion[attribute], strict=True)
    )
    return ReportTable("", tuple(values), rows, title=f"{attribute}: value, and taken for")

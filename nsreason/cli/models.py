"""`nsreason models`: what can be trained, and asked."""

from __future__ import annotations

from typing import Any, get_args

from . import checks, options, output, recipes, train

EXAMPLES = ("nsreason models", "nsreason models --json", "nsreason train detector --help")


# The recipe of each model whose size, score and time stand for it: the first that one would train.
SHOWN = {
    "concept-learner": "clevr-state-quick",
    "detector": "detector-small",
    "relation-network": "rn-sort-of-clevr-state",
    "scene-parser": "scene-parser",
}
OTHERS = "rn-clevr-state-cpu"  # of the networks that have no recipes of their own: those of the relation network


def models(as_json: options.AsJson = False) -> int:
    """List the models: what each is, how large, what it learns from, what it reached, and the command to train it.

    Sizes, scores and times are those of the recipe in the command; `nsreason recipes` has all. The weights of models
    marked * come with the package, so that images can be asked about at once.
    """
    records = [_record(name) for name in train.ABOUT]
    if as_json:
        output.put_json({"models": records})
        return 0
    for record in records:
        what = f"{record['what']}; {recipes.amount(record['parameters'])} weights"
        output.put(output.headed(f"{record['name']}{' *' if record['bundled'] else ''}", recipes.entry(record, what)))
    return 0


def _record(name: str) -> dict[str, Any]:
    what, data = train.ABOUT[name]
    recipe = SHOWN.get(name, OTHERS)
    head = recipes.head(recipe)
    own = head["model"] == name
    return {
        "name": name,
        "what": what,
        "data": data.replace("`", ""),
        "bundled": name in get_args(checks.Bundled),
        "recipe": recipe,
        "parameters": recipes.parameters(recipe, name),
        "score": head["score"] if own else None,
        "time": head["time"] if own else None,
        "command": head["command"].replace(f"train {head['model']} ", f"train {name} "),
    }

"""`nsreason recipes`: what can be trained with one command, on which data, to which score, in what time."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import RecipeError
from . import options, output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..training.recipe import Recipe

EXAMPLES = ("nsreason recipes", "nsreason recipes clevr-state-quick", "nsreason recipes --json")
HEAD = ("data", "score", "time")
"""What the comment that a bundled recipe opens with says, each on a line of its own: `# Data: ...`. Then a recipe's
command stands there, indented by four: `#     nsreason train ...`.
"""


def recipes(
    name: Annotated[str | None, typer.Argument(metavar="RECIPE", help="Show the file of this one.")] = None,
    as_json: options.AsJson = False,
) -> int:
    """List the bundled recipes: the model, its size, the data it needs, what it reached and in what time.

    A size is the number of weights; of a network whose words and answers come from the data, with those of the data
    that are named. A score is one that was measured, or the paper's where it is said so.

    With the name of a recipe, prints its file: a copy of it, changed, is one of your own.
    """
    from ..training.recipe import bundled_recipes, recipe_text

    if name is not None:
        text, source = recipe_text(name)
        if as_json:
            output.put_json({**head(name), "file": source, "text": text})
        else:
            output.put(text.rstrip("\n"))
        return 0
    records = [head(n) | {"parameters": parameters(n)} for n in bundled_recipes()]
    if as_json:
        output.put_json({"recipes": records})
        return 0
    for record in records:
        output.put(
            output.headed(record["name"], entry(record, f"{record['model']}, {amount(record['parameters'])} weights"))
        )
    output.put("The file of one: nsreason recipes RECIPE")
    return 0


def entry(record: Mapping[str, Any], what: str) -> list[str]:
    """The lines of a list that say what a model or recipe is, learns from and reached, and how it is trained."""
    lines = [f"  {what}", f"  data   {record['data']}"]
    if record["score"]:
        lines += [f"  score  {record['score']}", f"  time   {record['time']}"]
    return [*lines, f"  {record['command']}"]


def head(name: str) -> dict[str, Any]:
    """What a recipe's opening comment says of it, with its model and the command that trains it.

    Raises:
        RecipeError: there is no such recipe, or it says one of these not.
    """
    from ..training.recipe import read_table, recipe_text

    text, source = recipe_text(name)
    opening = text.partition("\nmodel = ")[0]
    record: dict[str, Any] = {"name": name, "model": read_table(name)[0].get("model")}
    record["summary"] = opening.partition("\n")[0].removeprefix("# ")
    for key in HEAD:
        line = re.search(rf"^# {key.title()}: (.+)$", opening, re.MULTILINE)
        record[key] = line[1] if line else None
    command = re.search(r"^#     (nsreason train .+?)(?:  +#.*)?$", opening, re.MULTILINE)
    record["command"] = command[1] if command else None
    if ".toml" not in name and None in record.values():
        missing = ", ".join(key for key, value in record.items() if value is None)
        raise RecipeError(f"{source}: its opening comment does not say: {missing}")
    return record


def amount(number: int) -> str:
    """`2.2 million`, `51,000`: two digits say enough of a size."""
    if number < 1000:
        return f"{number:,}"
    return f"{number / 1e6:.1f} million" if number >= 1e6 else f"{round(number, -3):,}"


def parameters(name: str, model: str | None = None) -> int:
    """How many weights a recipe's model has, or another one of the same settings; none is made."""
    import torch

    from ..training.model import model_class
    from ..training.recipe import load_recipe

    recipe = load_recipe(name)
    config = _typical(recipe)
    with torch.device("meta"):
        network = model_class(model or recipe.model)(config)
    return sum(p.numel() for p in network.parameters())


def _typical(recipe: Recipe) -> Any:
    """The settings of a recipe's model, with as many words, answers and columns as the task's usual data have."""
    from ..models.answer_networks.config import AnswerNetworkConfig

    config = recipe.model_config
    if not isinstance(config, AnswerNetworkConfig):
        return config
    import numpy as np

    from ..models.answer_networks.config import config_from_data
    from ..queries.query import Query

    settings: Any = recipe.data.get("settings", {})
    words, answers, rows, bits = _SIZES[recipe.data["task"]]
    if recipe.data["task"] == "springs" and settings.get("moves") == "changes":
        rows = (rows[0], 100)  # the steps between frames and their changes, too
    seen = {"rows": np.zeros(rows), "bits": np.zeros(bits), "sentences": ["."] * 20}
    text = " ".join(f"w{number}" for number in range(words - 1)).translate(_LETTERS)
    queries = [Query(n, text, f"answer {n}", "kind", seen) for n in range(answers)]
    return replace(config_from_data(config, queries), types=("kind",))


_LETTERS = {ord(digit): letter for digit, letter in zip("0123456789", "abcdefghij", strict=True)}
# Words, answers, (objects, columns of each), bits of a question: of the data that the tasks' recipes name.
_SIZES: dict[str, tuple[int, int, tuple[int, int], int]] = {
    "babi": (145, 60, (20, 1), 0),
    "clevr": (93, 28, (10, 13), 0),
    "sort-of-clevr": (1, 10, (6, 10), 11),
    "springs": (1, 7, (10, 33), 0),
}

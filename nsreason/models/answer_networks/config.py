"""Settings of networks that answer by classes, and how data complete them: words, answers, types, widths."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from ...errors import DataError, RecipeError
from ...queries.query import Query
from ..query_model import input_of
from .encoders import GridConfig, QuestionConfig, SentenceConfig
from .relation_network import RelationNetworkConfig
from .vocabulary import WordVocabulary


@dataclass(frozen=True)
class AnswerNetworkConfig:
    """Settings of a network that answers by classes."""

    input: Literal["rows", "image", "sentences"] = "rows"
    """What its objects are: `rows` that are given, cells of the `image`, or `sentences`."""
    asks: Literal["words", "bits", "nothing"] = "words"
    """The form of the question: `words`, `bits`, or `nothing` where all queries ask the same."""
    grid: GridConfig = field(default_factory=GridConfig)
    """Encoder of images, for `input = "image"`."""
    sentences: SentenceConfig = field(default_factory=SentenceConfig)
    """Encoder of stories, for `input = "sentences"`."""
    question: QuestionConfig = field(default_factory=QuestionConfig)
    """Encoder of questions, for `asks = "words"`."""
    relation: RelationNetworkConfig = field(default_factory=RelationNetworkConfig)
    """The relation network; its baselines take their sizes from it."""
    pairs: Literal["all", "unordered"] = "all"
    """Which pairs of objects are related: `all` ordered ones, or `unordered` ones of two objects, which is enough where
    objects have an order of their own."""
    answer: Literal["class", "links"] = "class"
    """`class`, one of the answers; or `links`, for each pair of objects whether they belong together."""
    rotate: float = 0.0
    """While training, images are rotated by up to so many radians to either side."""
    translate: float = 0.0
    """While training, images are translated by up to this share of their side, each way. The paper's CLEVR pixels:
    0.05, and 4 of 128."""
    permute_columns: int = 0
    """While training, the first so many columns of a scene's rows are permuted among its objects, and links with them:
    for rows whose other columns say no more than which object is which."""
    sign_flip: tuple[tuple[int, int], ...] = ()
    """While training, the sign of each of these ranges of columns (from, to) is flipped in half of the scenes."""
    words: tuple[str, ...] = ()
    """The vocabulary; `config_from_data` reads it off the data."""
    answers: tuple[str, ...] = ()
    """The classes; `config_from_data` reads them off the data."""
    types: tuple[str, ...] = ()
    """The question types; `config_from_data` reads them off the data."""
    places: int = 0
    """The most objects that a query has; `config_from_data` reads it off the data."""

    def __post_init__(self) -> None:
        """Raises:
        RecipeError: a setting that no network can have.
        """
        if not (self.rotate >= 0 and 0 <= self.translate < 1):
            raise RecipeError(
                f"rotate: {self.rotate}, translate: {self.translate}; from 0, and translate below 1, will do"
            )


def config_from_data(config: AnswerNetworkConfig, queries: Iterable[Query]) -> AnswerNetworkConfig:
    """The settings with what they leave to the data: words, answers, types, how many objects of how many features.

    `relation.classes` is kept if there are fewer answers: some papers have classes to spare.

    Raises:
        DataError: there is no query, none has an answer, or one lacks the network's input.
    """
    texts: dict[str, None] = {}
    answers: dict[str, None] = {}
    types: dict[str, None] = {}
    places, rows, bits = 0, 0, 0
    stories: set[tuple[str, ...]] = set()
    for query in queries:
        types[query.type] = None
        if query.answer is not None:
            answers[query.answer] = None
        if config.asks == "words" and query.text is not None:
            texts[query.text] = None
        elif config.asks == "bits":
            bits = len(input_of(query, "bits"))
        if config.input == "rows":
            shape = input_of(query, "rows").shape
            places, rows = max(places, shape[0]), shape[1]
        elif config.input == "sentences":
            story = input_of(query, "sentences")
            places = max(places, len(story))
            if tuple(story) not in stories:
                stories.add(tuple(story))
                texts.update(dict.fromkeys(story))
    if not types:
        raise DataError("there is no query to read a network's words and answers off")
    if not answers:
        raise DataError("no query has an answer; a network that answers by classes learns from answers")
    if config.input == "image":
        places, rows = config.grid.objects, config.grid.features
    elif config.input == "sentences":
        places, rows = config.sentences.sentences, config.sentences.features
    used = max([config.permute_columns, *(last for _, last in config.sign_flip)])
    if config.input == "rows" and used > rows:
        raise DataError(
            f"permute_columns and sign_flip are of {used} columns, the rows have {rows}: they are of other settings"
        )
    condition = {"words": config.question.units, "bits": bits, "nothing": 0}[config.asks]
    classes = places * places if config.answer == "links" else max(len(answers), config.relation.classes)
    relation = replace(config.relation, objects=rows, condition=condition, classes=classes)
    known = () if config.answer == "links" else tuple(sorted(answers))
    words = WordVocabulary.of(texts).words
    return replace(config, relation=relation, words=words, answers=known, types=tuple(sorted(types)), places=places)


def inputs_of(config: AnswerNetworkConfig, uses_inputs: bool = True) -> frozenset[str]:
    """The inputs of queries that a network of these settings reads.

    Args:
        uses_inputs: whether it reads anything but the question.
    """
    objects = [config.input] if uses_inputs else []
    return frozenset([*objects, *(["bits"] if config.asks == "bits" else [])])

"""Queries of every kind that networks look at: small, drawn from a seed, and learnable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nsreason.data.links import spell_links
from nsreason.models.answer_networks.config import AnswerNetworkConfig, config_from_data
from nsreason.models.answer_networks.encoders import GridConfig, QuestionConfig, SentenceConfig
from nsreason.models.answer_networks.relation_network import RelationNetworkConfig
from nsreason.queries.image import QueryImage
from nsreason.queries.query import Query

RED, SHAPES = 2, ("cube", "sphere")
RELATION = RelationNetworkConfig(g=(32, 32), f=(32,), dropout=0.0, classes=1)
QUESTION = QuestionConfig(units=12, embedding=8)
TINY = AnswerNetworkConfig(question=QUESTION, relation=RELATION)
KINDS = {
    "rows": TINY,
    "image": AnswerNetworkConfig(
        input="image", asks="bits", grid=GridConfig((4, 6), 16), question=QUESTION, relation=RELATION
    ),
    "sentences": AnswerNetworkConfig(
        input="sentences", sentences=SentenceConfig(8, 6, 5), question=QUESTION, relation=RELATION
    ),
    "links": AnswerNetworkConfig(asks="nothing", answer="links", relation=replace(RELATION, g=(64, 64), f=(64,))),
}
"""A network's settings for each kind of query, not settled yet."""


def queries(kind: str, count: int, seed: int = 0) -> list[Query]:
    """Queries of a kind of `KINDS`."""
    random = np.random.default_rng(seed)
    return [_MADE[kind](i, random) for i in range(count)]


def network_config(kind: str) -> AnswerNetworkConfig:
    """Settings that are settled by a hundred queries of the kind."""
    return config_from_data(KINDS[kind], queries(kind, 100))


def _rows(index: int, random: np.random.Generator) -> Query:
    """Three things of different colors in any order, and one of three questions: what shape the red one has
    (`look`), which word the question ends with (`echo`), and one whose answer is most often `cube` (`habit`)."""
    colors, shapes = random.permutation(3), random.integers(2, size=3)
    rows = np.concatenate([np.eye(3)[colors], np.eye(2)[shapes]], 1).astype(np.float32)  # (3, 5)
    kind = ("look", "echo", "habit")[random.integers(3)]
    if kind == "look":
        text, answer = "What is the red thing?", SHAPES[int(shapes[colors == RED][0])]
    elif kind == "echo":
        answer = (*SHAPES, "cone")[random.integers(3)]
        text = f"Say {answer}"
    else:
        text, answer = "Guess!", "cube" if random.random() < 0.85 else "sphere"
    return Query(index, text, answer, kind, {"rows": rows}, facts={"objects": 3})


def _picture(index: int, random: np.random.Generator) -> Query:
    """A bright square on the left or on the right, asked for by a bit of its own; another bit asks for the other."""
    left, other = bool(random.integers(2)), bool(random.integers(2))
    pixels = random.integers(0, 60, (16, 16, 3), dtype=np.uint8)
    pixels[4:12, 1:7] += 120 * left
    pixels[4:12, 9:15] += 120 * (not left)
    bits = np.array([not other, other])
    answer = "left" if left != other else "right"
    return Query(index, None, answer, "side", {"image": QueryImage(None, pixels=pixels, name="a"), "bits": bits})


def _sentences(index: int, random: np.random.Generator) -> Query:
    """Who went where, told in one to five sentences; the last place of someone counts."""
    sentences = [f"{name} went to the {place}" for name, place in _walk(random)]
    name, _, _, _, place = sentences[-1].split()
    return Query(index, f"Where is {name}?", place, "where", {"sentences": tuple(sentences)})


def _walk(random: np.random.Generator) -> list[tuple[str, str]]:
    steps = int(random.integers(1, 6))
    names, places = ("Ann", "Bob"), ("attic", "barn", "cellar")
    return [(names[random.integers(2)], places[random.integers(3)]) for _ in range(steps)]


def _links(index: int, random: np.random.Generator) -> Query:
    """Four things, each known by its place among them; those of the same color belong together."""
    colors = random.integers(2, size=4)
    same = (colors[:, None] == colors[None]) & ~np.eye(4, dtype=bool)
    rows = np.concatenate([np.eye(4), np.eye(2)[colors]], 1).astype(np.float32)  # (4, 6)
    return Query(index, None, spell_links(same), "links", {"rows": rows})


_MADE = {"rows": _rows, "image": _picture, "sentences": _sentences, "links": _links}

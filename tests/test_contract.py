"""One contract for every domain and one for every op."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random

import pytest

from nsreason.dsl.domain import Domain, bundled_domains, load_domain, parse_domain
from nsreason.dsl.kinds import ATTRIBUTE, CONCEPT, RELATION, WORD
from nsreason.dsl.ops import OPS
from nsreason.dsl.vocabulary import Vocabulary
from nsreason.executors import execute_values
from nsreason.programs.program import Program
from nsreason.scenes.scene import Scene
from tests.support.strategies import random_program, random_world
from tests.support.toy_scene_graph import graph_domain

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.toml"))
OPEN = "an open vocabulary"
DOMAINS = [*bundled_domains(), *map(str, EXAMPLES), OPEN]


@pytest.fixture(params=DOMAINS, ids=lambda name: Path(name).stem)
def domain(request: pytest.FixtureRequest) -> Domain:
    return graph_domain(60) if request.param == OPEN else load_domain(request.param)


def test_names_are_numbered_in_the_order_of_the_file(domain: Domain) -> None:
    assert domain.concepts == tuple(v for a in domain.attributes for v in domain.values(a))
    for kind, names in (
        (CONCEPT, domain.concepts),
        (ATTRIBUTE, domain.attributes),
        (RELATION, domain.relations),
    ):
        assert [domain.literal(kind, name) for name in names] == list(range(len(names)))


def test_inverses_come_in_pairs(domain: Domain) -> None:
    for relation in domain.relations:
        inverse = domain.inverse(relation)
        assert inverse is None or domain.inverse(inverse) == relation


def test_every_name_can_be_said(domain: Domain) -> None:
    """A value is an adjective or a noun, an attribute and a relation have words: else no question can name
    them.
    """
    for attribute, entry in domain.file.attributes.items():
        assert entry.words, attribute
        for value, words in entry.values.items():
            assert words.adjectives or words.nouns, value
            assert all(word == word.strip().lower() != "" for word in (*words.adjectives, *words.nouns)), value
    for relation, spoken in domain.file.relations.items():
        assert spoken.words, relation
    assert domain.file.things and domain.file.asks in domain.attributes


def test_a_domain_is_what_its_file_says(domain: Domain) -> None:
    assert parse_domain(domain.to_toml()) == domain


def test_every_value_has_a_label_and_an_answer_word(domain: Domain) -> None:
    assert len(domain.labels) == len(domain.answer_words) == len(domain.concepts)
    assert set(domain.answer_words) <= set(domain.answers())
    words = Vocabulary(domain)
    for concept, label in zip(domain.concepts, domain.labels, strict=True):
        assert words.value(domain.attribute_of[concept], label) == concept


def test_values_stand_above_values_of_their_own_attribute(domain: Domain) -> None:
    for concept, higher in domain.above.items():
        assert concept not in higher and len(set(higher)) == len(higher)
        assert {domain.attribute_of[domain.concepts[c]] for c in (concept, *higher)} == {
            domain.attribute_of[domain.concepts[concept]]
        }
        for one in higher:
            assert set(domain.above.get(one, ())) <= set(higher), "what stands above what stands above"


def test_scenes_of_a_domain_go_round_and_a_value_counts_for_all_above_it(domain: Domain) -> None:
    rng = Random(1)
    for n in range(4):
        scene = random_world(rng, domain, n).scene
        assert Scene.from_dict(scene.to_dict(), domain).to_dict() == scene.to_dict()
        for i in range(n):
            for attribute in domain.attributes:
                for value in scene.values_of(i, attribute):
                    number = domain.concept_index[value]
                    assert all(scene.concepts[c] >> i & 1 for c in (number, *domain.above.get(number, ())))


def test_no_word_names_two_values(domain: Domain) -> None:
    seen: dict[str, str] = {}
    for entry in domain.file.attributes.values():
        for value, words in entry.values.items():
            for word in {*words.adjectives, *words.nouns}:
                assert seen.setdefault(word, value) == value, word


def test_native_ops_are_ops(domain: Domain) -> None:
    names = list(domain.native_ops())
    assert len({native for native, _, _ in names}) == len(names)
    for _, op_name, attribute in names:
        assert op_name in domain.ops
        takes = [p.kind for p in OPS[op_name].literals]
        assert (
            attribute is None or ATTRIBUTE in takes or CONCEPT in takes or WORD in [p.kind for p in OPS[op_name].inputs]
        )


def test_every_admitted_op_runs_in_the_domain(domain: Domain) -> None:
    """Programs drawn over scenes of the domain call every op that it admits."""
    rng = Random(0)
    called: set[str] = set()
    wanted = {
        name for name in domain.ops if domain.relations or all(p.kind is not RELATION for p in OPS[name].literals)
    }
    for tries in count():
        assert tries < 1000, wanted - called
        world = random_world(rng, domain, rng.randint(0, 8))
        program = random_program(rng, domain, scene=world.scene)
        values, _ = execute_values(program, world.scene)
        called.update(call.op for call in program.calls[: len(values)])
        if called == wanted:
            break


@pytest.mark.parametrize("name", OPS)
def test_every_op_can_be_drawn_as_an_answer(name: str) -> None:
    """Its result is of a kind that an executor can answer with, and its call can be read back from its text."""
    from nsreason.programs.text_reader import parse_program
    from tests.support.strategies import ANSWERS

    assert OPS[name].result in ANSWERS
    domain = load_domain("clevr")
    rng = Random(name)
    for tries in count():
        assert tries < 2000
        program = random_program(rng, domain, kind=OPS[name].result)
        if program.calls[-1].op == name:
            break
    assert parse_program(str(program), domain) == program
    assert Program(program.calls, domain) == program

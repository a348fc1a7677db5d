"""Domains built from counts: keys, labels, thresholds, aliases, names above others; and their order."""

from __future__ import annotations

import time
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import Domain, parse_domain
from nsreason.dsl.domain_file import is_name
from nsreason.dsl.vocabulary import Vocabulary, slug
from nsreason.errors import DomainError

NAMES = {"car": 9, "Fire Hydrant": 2, "fire  hydrant": 1, "suv": 4, "T-shirt": 3, "apple": 1, "rare": 1}
ATTRIBUTES = {"color": {"red": 5, "dark": 2, "apple": 2}, "tone": {"dark": 3}}
RELATIONS = {"on top of": 3, "ON": 8, "under": 2, "near": 1}


def build(**options: object) -> Domain:
    options.setdefault("least", 2)
    return Vocabulary.from_counts(NAMES, ATTRIBUTES, RELATIONS, **options)  # type: ignore[arg-type]


def test_labels_are_free_text_and_keys_are_slugs_of_them() -> None:
    domain = build()
    assert domain.values("name") == ("car", "suv", "fire-hydrant", "t-shirt")
    assert domain.labels[domain.concept_index["fire-hydrant"]] == "fire hydrant"
    assert domain.attributes == ("color", "tone", "name") and domain.open_attributes == {0, 1}
    assert domain.relations == ("on", "on-top-of", "under")
    assert domain.file.asks == "name" and domain.file.closed
    assert domain.file.relations["on-top-of"].label == "on top of"


def test_two_labels_never_share_a_key() -> None:
    domain = Vocabulary.from_counts(
        {"apple": 3, "t shirt": 2, "t-shirt": 1, "t_shirt": 1}, {"color": {"apple": 1, "dark": 1}, "tone": {"dark": 1}}
    )
    assert domain.values("name") == ("apple", "t-shirt", "name-t-shirt", "t_shirt")
    assert domain.values("color") == ("color-apple", "dark")
    assert domain.values("tone") == ("tone-dark",)


def test_attributes_without_categories_are_values_of_one_open_attribute() -> None:
    domain = Vocabulary.from_counts({"car": 1}, {"red": 2, "old": 1}, several_names=True, closed=False)
    assert domain.attributes == ("attribute", "name") and domain.values("attribute") == ("red", "old")
    assert domain.open_attributes == {0, 1} and not domain.file.closed


def test_categories_that_scene_files_use_otherwise_get_another_key() -> None:
    domain = Vocabulary.from_counts({"car": 1}, {"score": {"high": 1}, "name": {"long": 1}})
    assert domain.attributes == ("attribute-name", "attribute-score", "name")


def test_thresholds_count_a_spelling_with_its_aliases() -> None:
    domain = build(least=3)
    assert domain.values("name") == ("car", "suv", "fire-hydrant", "t-shirt")
    domain = build(least={"names": 5, "attributes": 3, "relations": 4}, aliases={"rare": "suv", "On Top Of": "on"})
    assert domain.values("name") == ("car", "suv") and domain.values("color") == ("red",)
    assert domain.relations == ("on",)
    assert domain.file.relations["on"].words == ("on", "on top of")
    words = Vocabulary(domain)
    assert words.value("name", " RARE ") == "suv" and words.relation("on  top of") == "on"
    assert words.value("name", "apple") is None and words.relation("near") is None
    with pytest.raises(DomainError, match="no attribute 'nme'; did you mean 'name'"):
        words.value("nme", "car")


def test_names_above_others_are_taken_whatever_their_count() -> None:
    domain = build(isa={"suv": ["car"], "car": ["Vehicle"], "vehicle": ["thing"], "boat": ["vehicle"]})
    names = domain.values("name")
    assert set(names) == {"car", "suv", "fire-hydrant", "t-shirt", "vehicle", "thing"}
    above = {domain.concepts[c]: [domain.concepts[h] for h in higher] for c, higher in domain.above.items()}
    assert above == {"suv": ["car", "vehicle", "thing"], "car": ["vehicle", "thing"], "vehicle": ["thing"]}


def test_answers_and_inverses() -> None:
    domain = build(answers={"fire hydrant": "hydrant"}, inverses={"on top of": "under", "on": "below"})
    assert domain.answer_words[domain.concept_index["fire-hydrant"]] == "hydrant"
    assert "hydrant" in domain.answers() and "fire hydrant" not in domain.answers()
    assert domain.inverse("on-top-of") == "under" and domain.inverse("under") == "on-top-of"
    assert domain.inverse("on") is None, "its inverse is not in the domain"


WRONG = {
    "no name": (({"car": 1},), {"least": 2}, "names: none occurs 2 times or more"),
    "count": (({"car": -1},), {}, "names: a spelling and a count of 0 or more, got 'car': -1"),
    "count of text": (({"car": 1}, {"color": {"red": "many"}}), {}, "attributes.color: .* got 'red': 'many'"),
    "section": (({"car": 1},), {"least": {"name": 1}}, "least: no section 'name'; known: names, attributes"),
    "aliases": (({"car": 1},), {"aliases": {"a": "b", "b": "a"}}, "aliases: 'a' goes in a circle"),
    "isa": (({"car": 1},), {"isa": {"car": ["suv"], "suv": ["car"]}}, "isa: '(car|suv)' stands above itself"),
    "inverses": (
        ({"car": 1}, {}, {"on": 1}),
        {"inverses": {"on": "under", "over": "under"}},
        "inverses: 'under' has two, 'on' and 'over'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_counts_are_refused(case: str) -> None:
    arguments, options, message = WRONG[case]
    with pytest.raises(DomainError, match=message):
        Vocabulary.from_counts(*arguments, **options)  # type: ignore[arg-type]


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.integers(0, 9), min_size=1, max_size=20), st.randoms())
def test_any_text_is_a_label_and_the_order_of_the_data_does_not_matter(counts: dict[str, int], rng: Random) -> None:
    if not any(text.split() for text in counts):
        return
    domain = Vocabulary.from_counts(counts, counts, counts, least=0)
    assert all(is_name(key) for key in (*domain.concepts, *domain.relations))
    shuffled = list(counts.items())
    rng.shuffle(shuffled)
    assert Vocabulary.from_counts(dict(shuffled), dict(shuffled), dict(shuffled), least=0) == domain
    assert parse_domain(domain.to_toml()) == domain
    words = Vocabulary(domain)
    for text in counts:
        if text.split():
            key = words.value("name", text)
            assert key is not None and domain.labels[domain.concept_index[key]] == " ".join(text.casefold().split())


def test_slugs() -> None:
    assert [slug(t) for t in ("Fire  hydrant!", "café", "3D", "狗", "...", "a_b")] == [
        "fire-hydrant",
        "cafe",
        "x3d",
        "u72d7",
        "u2e-u2e-u2e",
        "a_b",
    ]


def test_thousands_of_names_are_a_matter_of_milliseconds() -> None:
    """0.03 s on one core; a second leaves room for a loaded machine."""
    names, attributes = {f"name {i}": i for i in range(2000)}, {f"attribute {i}": i for i in range(600)}
    start = time.process_time()
    domain = Vocabulary.from_counts(names, attributes, {f"relation {i}": i for i in range(300)}, least=0)
    assert time.process_time() - start < 1.0
    assert len(domain.concepts) == 2600 and len(domain.relations) == 300

"""Domain files: the message for each defect, and the contract of every bundled domain."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given

from nsreason.dsl.domain import Domain, DomainFile, bundled_domains, load_domain, parse_domain
from nsreason.dsl.kinds import ATTRIBUTE, CONCEPT, INTEGER, RELATION, WORD
from nsreason.dsl.ops import OPS
from nsreason.errors import DomainError
from tests.support.strategies import domains

STREET = """
name = "street"
asks = "kind"
[attributes.kind]
words = ["kind"]
[attributes.kind.values.car]
nouns = ["car"]
[attributes.kind.values.sign]
nouns = ["sign"]
[attributes.color.values]
red = {adjectives = ["red"]}
white = {}
[relations.left]
inverse = "right"
direction = "left"
words = ["left of"]
[relations.right]
inverse = "left"
words = ["right of"]
[relations.beside]
inverse = "beside"
words = ["beside"]
"""


def test_a_file_gives_names_in_its_order() -> None:
    street = parse_domain(STREET)
    assert street.name == "street"
    assert street.attributes == ("kind", "color")
    assert street.concepts == ("car", "sign", "red", "white")
    assert street.relations == ("left", "right", "beside")
    assert street.concept_index["red"] == 2
    assert street.attribute_of["white"] == "color"
    assert street.values("color") == ("red", "white")
    assert street.inverse("left") == "right" and street.inverse("beside") == "beside"
    assert street.ops == tuple(OPS)
    assert street.answers() == (*street.concepts, "yes", "no", *map(str, range(11)))
    assert repr(street) == "Domain('street', 4 concepts, 3 relations)"


WRONG = {
    "not TOML": ("name = [", "not valid TOML"),
    "nested too deep": ("name = " + "[" * 100_000, "not valid TOML"),
    "no name": (STREET.replace('name = "street"', ""), "missing required field `name`"),
    "no attributes key": ('name = "x"', "missing required field `attributes`"),
    "no attributes": ('name = "x"\n[attributes]', "a domain has at least one attribute"),
    "unknown key": ('nme = "x"\n' + STREET, r"Object contains unknown field `nme`"),
    "unknown key below": (
        STREET.replace('nouns = ["car"]', 'noun = ["car"]'),
        r"unknown field `noun` - at `\$\.attributes\[\.\.\.\]\.values\[\.\.\.\]`",
    ),
    "wrong type": (
        STREET.replace('["left of"]', '"left of"'),
        r"Expected `array`, got `str` - at `\$\.relations",
    ),
    "date": ("name = 2020-01-01\n[attributes]", r"Expected `str`, got `date.*` - at `\$\.name`"),
    "no values": ('name = "x"\n[attributes.kind.values]', "attribute 'kind' has no values"),
    "value clash": (
        STREET.replace("white = {}", "car = {}"),
        "'car' is a value of both 'kind' and 'color'; rename one",
    ),
    "bad value": (STREET.replace("white", '"off white"'), "'off white' is not a name: use letters"),
    "bad attribute": (STREET.replace("[attributes.color.", '[attributes."1st".'), "'1st' is not a name"),
    "bad relation": (STREET.replace("beside", '"näher"').replace('""', '"'), "'näher' is not a name"),
    "key of scene files": (
        STREET.replace("[attributes.color.", "[attributes.rotation."),
        "scene files use this key",
    ),
    "inverse unknown": (STREET.replace('inverse = "right"', 'inverse = "rihgt"'), "did you mean 'right'"),
    "inverse one way": (
        STREET.replace('inverse = "left"\n', ""),
        "relation 'right' must name 'left' as its inverse",
    ),
    "asks": (
        STREET.replace('asks = "kind"', 'asks = "kidn"'),
        "asks: no attribute 'kidn'; did you mean 'kind'",
    ),
    "isa of nothing": (
        STREET.replace("white = {}", 'white = {isa = ["rde"]}'),
        "'white': isa 'rde' is not a value of 'color'; did you mean 'red'",
    ),
    "isa of another attribute": (
        STREET.replace("white = {}", 'white = {isa = ["car"]}'),
        "'white': isa 'car' is not a value of 'color'; known: red, white",
    ),
    "isa in a circle": (
        STREET.replace("white = {}", 'white = {isa = ["pale"]}\npale = {isa = ["white"]}'),
        "'white': isa leads from it back to itself",
    ),
    "open": (
        STREET.replace("[attributes.color.values]", '[attributes.color]\nopen = "yes"\n[attributes.color.values]'),
        r"Expected `bool`, got `str` - at `\$\.attributes\[\.\.\.\]\.open`",
    ),
    "closed": ("closed = 1\n" + STREET, r"Expected `bool`, got `int` - at `\$\.closed`"),
    "eps": ("eps = nan\n" + STREET, "eps: a distance of 0 or more, got nan"),
    "eps below": ("eps = -0.1\n" + STREET, "eps: a distance of 0 or more, got -0.1"),
    "max_count": ("max_count = -1\n" + STREET, "max_count: a count from 0"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_files_are_refused_with_their_name_and_place(case: str) -> None:
    text, message = WRONG[case]
    with pytest.raises(DomainError, match=r"^street\.toml: .*" + message):
        parse_domain(text, source="street.toml")


def test_names_that_the_domain_lacks() -> None:
    street = parse_domain(STREET)
    with pytest.raises(DomainError, match="no attribute 'colour'; did you mean 'color'"):
        street.values("colour")
    with pytest.raises(DomainError, match="no relation 'lfet'; did you mean 'left'"):
        street.inverse("lfet")
    with pytest.raises(DomainError, match="no concept 'blue' in domain 'street'; known: car, sign, red, white"):
        street.literal(CONCEPT, "blue")
    with pytest.raises(DomainError, match="no relation 'car' in domain 'street'"):
        street.literal(RELATION, "car")
    assert street.literal(ATTRIBUTE, "color") == 1
    for wrong in ("-1", "1.5", "", "²", "1000000000", "0x1"):
        with pytest.raises(DomainError, match=f"'{re.escape(wrong)}' is not a whole number from 0 to 999999999"):
            street.literal(INTEGER, wrong)
    assert street.literal(INTEGER, "007") == 7


def test_steps_check_ops_and_literals() -> None:
    street = parse_domain(STREET)
    step = street.step("query", ("color",))
    assert (step.encoded, step.gives, step.unit) == ((1,), WORD, "color")
    assert street.step("query", ("color",)) is step, "a step is encoded once"
    with pytest.raises(DomainError, match="no op 'quary'; did you mean 'query'"):
        street.step("quary", ("color",))
    with pytest.raises(DomainError, match=r"filter\[concept\]\(objects\) -> objects takes 1 literal\(s\), got 2"):
        street.step("filter", ("red", "white"))
    for wrong in ((None,), (1,), (["red"],), ({},)):
        with pytest.raises(DomainError, match="an op and its literals are given by name, got 'filter' and"):
            street.step("filter", wrong)
    with pytest.raises(DomainError, match="given by name, got None"):
        street.step(None, ())  # type: ignore[arg-type]


def test_a_domain_may_admit_some_ops_only() -> None:
    few = parse_domain('ops = ["scene", "count"]\n' + STREET)
    assert few.ops == ("scene", "count")
    assert few.step("count", ()).op is OPS["count"]
    with pytest.raises(DomainError, match="domain 'street' does not admit the op 'exist'"):
        few.step("exist", ())


def test_native_names_are_written_out_per_attribute() -> None:
    street = parse_domain(STREET + '[native]\n"get_{attribute}" = "query"\n"odd{0}" = "count"\n')
    assert list(street.native_ops()) == [
        ("get_kind", "query", "kind"),
        ("get_color", "query", "color"),
        ("odd{0}", "count", None),
    ]


PARK = """
name = "park"
closed = true
[attributes.kind.values]
thing = {}
vehicle = {isa = ["thing"]}
car = {isa = ["vehicle"], label = "motor car", answer = "car"}
fire-hydrant = {isa = ["thing"], label = "fire hydrant"}
[attributes.color]
open = true
[attributes.color.values]
red = {}
[relations.on]
words = ["on"]
label = "on top of"
"""


def test_values_have_labels_answers_and_values_above_them() -> None:
    park = parse_domain(PARK)
    assert park.labels == ("thing", "vehicle", "motor car", "fire hydrant", "red")
    assert park.answer_words == ("thing", "vehicle", "car", "fire hydrant", "red")
    assert park.answer_index == {word: i for i, word in enumerate(park.answer_words)}
    glass = parse_domain(PARK.replace("red = {}", 'red = {}\nglass = {answer = "car"}'))
    assert "car" not in glass.answer_index, "a motor car and a car of glass: the word alone does not say which"
    assert park.above == {1: (0,), 2: (1, 0), 3: (0,)}
    assert park.open_attributes == {1} and park.file.closed
    assert park.answers()[:5] == park.answer_words
    assert parse_domain(STREET).above == {} and not parse_domain(STREET).open_attributes


@pytest.mark.parametrize("text", [STREET, PARK])
def test_a_domain_is_written_as_the_file_that_it_is_read_from(text: str) -> None:
    domain = parse_domain(text)
    assert parse_domain(domain.to_toml()) == domain
    assert "isa" not in parse_domain(STREET).to_toml()


def test_fingerprints_are_those_of_the_layout_before_labels() -> None:
    """Resumed runs compare them: a key that a file does not use must not change its fingerprint."""
    assert load_domain("clevr").fingerprint == "47dcc0a53c99f4ab"
    assert parse_domain(PARK).fingerprint != parse_domain(PARK.replace("closed = true", "")).fingerprint


# --- finding domains ---


def test_bundled_domains_are_listed_and_loaded_once() -> None:
    assert {"clevr", "kitchen"} <= set(bundled_domains())
    assert load_domain("clevr") is load_domain("clevr")
    domain = load_domain("kitchen")
    assert load_domain(domain) is domain


def test_domains_are_loaded_from_a_path(tmp_path: Path) -> None:
    path = tmp_path / "street.toml"
    path.write_text(STREET, encoding="utf-8")
    assert load_domain(path) == load_domain(str(path)) == parse_domain(STREET)


def test_domains_that_cannot_be_found(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match=r"no domain 'clever'; did you mean 'clevr'\?; or give the path of a \.toml"):
        load_domain("clever")
    with pytest.raises(DomainError, match=r"cannot read the domain file .*nowhere.toml"):
        load_domain(tmp_path / "nowhere.toml")
    with pytest.raises(DomainError, match="cannot read the domain file"):
        load_domain("zero\0byte.toml")
    bad = tmp_path / "bad.toml"
    bad.write_bytes(b'name = "\xff"')
    with pytest.raises(DomainError, match=r"cannot read the domain file .*utf-8"):
        load_domain(bad)
    with pytest.raises(DomainError, match="cannot read the domain file"):
        load_domain(tmp_path)


def test_paths_in_messages_are_those_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("name = 3", encoding="utf-8")
    with pytest.raises(DomainError, match=r"mine\.toml: Expected `str`, got `int` - at `\$\.name`"):
        load_domain(path)


# --- equality ---


def test_domains_are_equal_when_their_files_say_the_same() -> None:
    a, b = parse_domain(STREET), parse_domain("# a remark\n" + STREET)
    assert a == b and hash(a) == hash(b)
    assert a != parse_domain(STREET.replace("white", "black"))
    assert a != "street"


@given(domains())
def test_domains_survive_pickling_and_writing(domain: Domain) -> None:
    assert pickle.loads(pickle.dumps(domain)) == domain
    again = Domain(msgspec.json.decode(msgspec.json.encode(domain.file), type=DomainFile))
    assert (again, again.fingerprint) == (domain, domain.fingerprint)


def test_steps_remember_a_bounded_number_of_literals() -> None:
    street = parse_domain(STREET)
    street._steps.update({("number", (str(i),)): street.step("number", ("0",)) for i in range(100_000)})
    size = len(street._steps)
    assert street.step("number", ("999999",)).encoded == (999_999,)
    assert len(street._steps) == size

"""Characters to words: what is split, folded and forgiven, what neighbours make of a word, and the words of domains."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nsreason.dsl.domain import Domain, bundled_domains, load_domain, parse_domain
from nsreason.errors import DomainError, QuestionError
from nsreason.language.domain_words import plurals
from nsreason.language.lexicon import Lexicon, lexicon_for
from nsreason.language.lr_parser import grammar_text
from nsreason.language.question_parser import parse_question
from nsreason.language.suggestions import near_words, phrases_with
from nsreason.language.tokens import QuestionItem, UnknownWord

GRAMMAR = grammar_text("clevr_questions.lark")
CLEVR = lexicon_for(load_domain("clevr"), GRAMMAR)


def texts(question: str, lexicon: Lexicon = CLEVR) -> list[str]:
    return [item.text for item in lexicon.read(question)]


def first_senses(question: str, lexicon: Lexicon = CLEVR) -> list[str]:
    return [item.senses[0][0] for item in lexicon.read(question)]


# --- characters to phrases ---


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("How many cubes?", ["how many", "cubes"]),
        ("HOW  MANY\tCUBES\n", ["how many", "cubes"]),
        ("how-many cubes", ["how many", "cubes"]),
        ("the cube's color", ["the", "cube", "'s", "color"]),
        ("the cubes' color", ["the", "cubes", "'s", "color"]),
        ("the “cube”’s color", ["the", "cube", "'s", "color"]),
        ("what's red", ["what", "'s", "red"]),
        ("whats red", ["what", "'s", "red"]),
        ("things that aren't red", ["things", "that", "are", "not", "red"]),
        ("things that arent red", ["things", "that", "are", "not", "red"]),
        ("isn't the cube red", ["is", "the", "cube", "red"]),
        ("there is a cube; isn't it red", ["there is", "a", "cube", ";", "is", "it", "red"]),
        ("cubes & balls", ["cubes", "and", "balls"]),
        ("# of cubes", ["number of", "cubes"]),
        ("is it red? yes or no.", ["is", "it", "red"]),
        ("red and/or blue", ["red", "and or", "blue"]),
        ("left of the cube", ["left of", "the", "cube"]),
        ("on the left hand side of the cube", ["on the left hand side of", "the", "cube"]),
        ("to the left, the cube", ["to the left", "the", "cube"]),
        ("1,000 cubes", ["1", "000", "cubes"]),
        ("please count the cubes in the picture", ["count", "the", "cubes"]),
    ],
)
def test_phrases(question: str, expected: list[str]) -> None:
    assert texts(question) == expected


@given(st.text(max_size=80))
def test_every_phrase_has_a_place_in_the_text(text: str) -> None:
    try:
        items = CLEVR.read(text)
    except (QuestionError, UnknownWord):
        return
    starts = [item.start for item in items]
    assert starts == sorted(starts) and all(0 <= start < len(text) for start in starts)


def test_an_unknown_word_tells_what_came_before() -> None:
    with pytest.raises(UnknownWord) as caught:
        CLEVR.read("how many frobs are there")
    assert (caught.value.word, caught.value.start) == ("frobs", 9)
    assert [item.text for item in caught.value.before] == ["how many"]


@pytest.mark.parametrize(("character", "shown"), [("\0", r"'\x00'"), ("🎲", "🎲"), ("%", "%"), ("\x1b", r"'\x1b'")])
def test_characters_without_meaning_are_refused_where_they_stand(character: str, shown: str) -> None:
    with pytest.raises(QuestionError, match="has no place in a question") as caught:
        CLEVR.read(f"how many {character} cubes")
    assert caught.value.position == 9 and shown in caught.value.reason


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("the red colored cube", ["the", "red", "cube"]),
        ("the red-coloured cube", ["the", "red", "cube"]),
        ("the cube shaped thing", ["the", "cube", "thing"]),
        ("a shiny surface", ["a", "shiny"]),
        ("different colored cubes", ["different", "colored", "cubes"]),
    ],
)
def test_suffixes_say_nothing_after_their_values(question: str, expected: list[str]) -> None:
    assert texts(question) == expected


def test_a_suffix_of_another_attribute_says_something() -> None:
    assert texts("the red sized cube") == ["the", "red", "sized", "cube"]


# --- what the neighbours make of a word ---


@pytest.mark.parametrize(
    ("question", "word", "sense"),
    [
        ("cubes and balls", "and", "_AND_NP"),
        ("red and blue balls", "and", "_AND_ADJ"),
        ("are red and left of the ball", "and", "_AND_P"),
        ("is it red and is it metal", "and", "_AND_SEP"),
        ("left of the cube and that is red", "and", "_AND_P"),
        ("both cubes", "both", "DET"),
        ("both the cube and the ball", "both", "_BOTH"),
        ("the cubes are all red", "all", "FLOATING"),
        ("all cubes", "all", "DET"),
        ("the left cube", "left", "EXTREME"),
        ("left of the cube", "left of", "RELATION"),
        ("the cube on the far left", "on the far left", "EXTREME_AFTER"),
        ("what is it made of", "made of", "MADE_END"),
        ("is the cube left of it made of metal", "made of", "_MADE_IS"),
        ("a cube made of metal", "made of", "_MADE"),
        ("are there more than one red cube", "more than one", "_SEVERAL"),
        ("one red cube", "one", "INTEGER"),
        ("the red one", "one", "NOUN"),
        ("cubes that are red", "that", "_THAT_ARE"),
        ("all things but the cube", "but", "_EXCEPT"),
        ("left of the cube but red", "but", "_AND_P"),
        ("if the ball is removed how many cubes are left", "left", "_REMAIN"),
    ],
)
def test_neighbours_settle_a_word(question: str, word: str, sense: str) -> None:
    (item,) = [item for item in CLEVR.read(question) if item.text == word]
    assert item.senses[0][0] == sense


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("cubes, balls and tubes", ["cubes", ",", "balls", "and", "tubes"]),
        ("cubes, balls, and tubes", ["cubes", ",", "balls", "and", "tubes"]),
        ("there is a cube, is it red", ["there is", "a", "cube", "is", "it", "red"]),
        ("behind it, left of the cube or red", ["behind", "it", ",", "left of", "the", "cube", "or", "red"]),
        ("the cube, which is red", ["the", "cube", "which", "is", "red"]),
        ("the cube is red, isn't it", ["the", "cube", "is", "red"]),
        ("there is a cube, right?", ["there is", "a", "cube"]),
        ("; ; there is a cube ; ; is it red ; ", ["there is", "a", "cube", ";", "is", "it", "red"]),
    ],
)
def test_commas_join_lists_and_otherwise_go(question: str, expected: list[str]) -> None:
    assert texts(question) == expected


def test_either_and_both_before_adjectives_go() -> None:
    assert texts("either red or blue cubes") == ["red", "or", "blue", "cubes"]
    assert first_senses("things that are both red and metal")[-3:] == ["ADJECTIVE", "_AND_BOTH", "ADJECTIVE"]


# --- domains ---


@pytest.mark.parametrize("name", bundled_domains())
def test_every_word_of_a_domain_is_in_its_lexicon(name: str) -> None:
    domain = load_domain(name)
    lexicon = lexicon_for(domain, GRAMMAR)
    for attribute, entry in domain.file.attributes.items():
        for value, value_entry in entry.values.items():
            for word in value_entry.adjectives:
                assert ("ADJECTIVE", value) in lexicon.read(word)[0].senses, word
            for word in value_entry.nouns:
                assert ("NOUN", value) in lexicon.read(word)[0].senses, word
        for word in entry.words:
            assert ("ATTRIBUTE", attribute) in lexicon.read(word)[0].senses, word
    for relation, spoken in domain.file.relations.items():
        for word in spoken.words:
            assert ("RELATION", relation) in lexicon.read(word)[0].senses, word


def street(words: str, more: str = "") -> Domain:
    return parse_domain(f"""
        name = "street"
        questions = "clevr_questions.lark"
        [attributes.kind.values.car]
        nouns = ["car"]
        {words}
        [relations.left]
        words = ["left of"]
        {more}
    """)


@pytest.mark.parametrize(
    ("domain", "message"),
    [
        (street('[attributes.kind.values.bus]\nnouns = ["car"]'), "'car' means both 'car' and 'bus'"),
        (street('[attributes.size.values.big]\nnouns = ["cars"]'), r"'cars' means both 'car\+?' and 'big'"),
        (
            street('[attributes.a.values.x]\nadjectives = ["red"]\n[attributes.b.values.y]\nadjectives = ["red"]'),
            "'red' means both 'x' and 'y'",
        ),
        (street("", '[relations.other]\nwords = ["left of"]'), "'left of' means both 'left' and 'other'"),
        (
            street(
                '[attributes.a]\nwords = ["look"]\nvalues = {x = {}}\n'
                '[attributes.b]\nwords = ["look"]\nvalues = {y = {}}'
            ),
            "'look' means both 'a' and 'b'",
        ),
    ],
)
def test_words_that_clash_are_a_domain_error(domain: Domain, message: str) -> None:
    with pytest.raises(DomainError, match=f"domain 'street': {message}"):
        parse_question("is there a car", domain)


def test_a_value_without_words_is_said_by_its_name() -> None:
    domain = street("[attributes.state.values.parked_up]")
    assert str(parse_question("how many parked-up cars are there", domain)) == (
        "count(filter[car](filter[parked_up](scene())))"
    )


def test_a_relation_without_extremes_has_some() -> None:
    assert str(parse_question("find the furthest left of car", street(""))) == (
        "unique(extreme[left](filter[car](scene())))"
    )


@pytest.mark.parametrize(
    ("noun", "expected"),
    [
        ("cube", ("cubes",)),
        ("box", ("boxes",)),
        ("dish", ("dishes",)),
        ("body", ("bodies",)),
        ("toy", ("toys",)),
        ("kind of thing", ("kind of things", "kinds of thing", "kinds of things")),
    ],
)
def test_plurals(noun: str, expected: tuple[str, ...]) -> None:
    assert plurals(noun) == expected


# --- near words ---


@pytest.mark.parametrize(
    ("word", "terminals", "before", "expected"),
    [
        ("purpel", {"ADJECTIVE"}, None, ["purple"]),
        ("cubs", {"NOUN"}, None, ["cube", "cubes"]),
        ("cubs", {"RELATION"}, None, []),  # it would not fit there
        ("cubs", set(), None, ["cube", "cubes"]),  # nothing is known of the place
        ("next", {"RELATION"}, None, []),
        ("fornt", {"_IS"}, "in", ["front"]),
        ("x" * 1000, {"NOUN"}, None, []),
        ("cueb", {"NOUN"}, None, ["cube"]),
        ("common", set(), None, []),  # a word that is known inside a phrase is not offered for itself
    ],
)
def test_near_words_fit_in_the_place(word: str, terminals: set[str], before: str | None, expected: list[str]) -> None:
    item = None if before is None else QuestionItem((("_IN", ""),), before, 0)
    assert near_words(CLEVR, word, terminals, item)[: len(expected) or None] == expected


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("common", "a common"),
        ("half", "more than half of"),
        ("closer", "closer than"),
        ("xyzzy", None),
        ("purple", None),
    ],
)
def test_a_word_that_does_not_stand_alone_has_phrases(word: str, expected: str | None) -> None:
    assert phrases_with(CLEVR, word)[:1] == ([] if expected is None else [expected])


def test_no_word_is_offered_for_itself() -> None:
    for word in CLEVR.words:
        assert word not in near_words(CLEVR, word, set(), None)


# --- marks of other scripts ---


@pytest.mark.parametrize(
    "text",
    [
        "What color is the cube？",
        "What color is the cube！",
        "“What color is the cube?”",
        "«What color is the cube»",
        "「What color is the cube」。",
        "What color is the\u00a0cube?",
        "What color is the\u3000cube?",
        "What color is the cube\u200b?",
        "What\u200bcolor\u200bis\u200bthe cube?",
        "\ufeffWhat color is the cube?",
        "What col\u00ador is the cu\u2060be?",
        "What color is the cube…",
        "Ｗｈａｔ ｃｏｌｏｒ is the cube",
        "¿What color is the cube?",
        "What color — is the cube",
        "What color is the cube\u202c",
    ],
)
def test_marks_of_any_script_are_punctuation(text: str) -> None:
    assert [item.senses for item in CLEVR.read(text)] == [item.senses for item in CLEVR.read("what color is the cube")]


def test_an_apostrophe_of_any_script_is_one() -> None:
    for mark in "'’‘ʼ´`＇":
        assert [i.text for i in CLEVR.read(f"what{mark}s the cube")] == ["what", "'s", "the", "cube"]


@pytest.mark.parametrize(
    ("text", "at", "message"),
    [
        ("\ufeff\ufeffhow many 🤔", 11, "the character '🤔' has no place"),
        ("how many\u200b purpel cubes", 10, "the word 'purpel' is not in the lexicon"),
        ("how many\u2060\u2060 cubés", 11, "the word 'cubés' is not in the lexicon"),
        ("how many cube\u0301s", 9, "the word 'cubés' is not in the lexicon"),
        ("İİ how many xyzzy", 0, "the word 'ii' is not in the lexicon"),
        ("how many \x1b[2J", 9, r"the character '\x1b' has no place"),
    ],
)
def test_places_are_those_of_the_text_as_given(text: str, at: int, message: str) -> None:
    with pytest.raises(QuestionError) as caught:
        parse_question(text)
    assert message in caught.value.reason and caught.value.position == at


def test_a_question_of_too_many_characters_or_words_is_refused() -> None:
    with pytest.raises(QuestionError, match=r"has 20,001 characters; at most 20,000 are read"):
        parse_question("(" * 20_001)
    with pytest.raises(QuestionError, match=r"has 3000 words; at most 400 are read"):
        parse_question("(" * 3000)
    assert parse_question("please " * 1000 + "how many cubes are there")

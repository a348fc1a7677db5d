"""The parser on grammars of a few rules: conflicts in the order of preference, words of several senses, every walk,
what could have stood somewhere, and the kept tables.
"""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from nsreason.errors import DomainError
from nsreason.language import lr_parser, tables
from nsreason.language.lr_parser import LrTable, Stopped, grammar_text
from nsreason.language.phrases import Node
from nsreason.language.tokens import QuestionItem

AMBIGUOUS = """
start: expr
expr: expr _PLUS expr -> plus
    | NUMBER -> number
%declare NUMBER _PLUS
"""

# 'that' joins the nearest noun first; 'old' is an adjective or a noun.
NEAREST = """
start: np
np: noun post*
?noun: ADJECTIVE? NOUN -> noun
post: _THAT NOUN
    | _OF np
%declare NOUN ADJECTIVE _THAT _OF
"""


@pytest.fixture
def table_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    texts: dict[str, str] = {}
    monkeypatch.setenv("NSREASON_CACHE", "off")
    monkeypatch.setattr(lr_parser, "grammar_text", texts.__getitem__)

    def make(grammar: str) -> LrTable:
        texts["grammar"] = grammar
        return LrTable("grammar")

    yield make


def items(*words: str) -> list[QuestionItem]:
    """'NOUN', or several senses: 'ADJECTIVE|NOUN'."""
    return [QuestionItem(tuple((t, t.lower()) for t in word.split("|")), word, n) for n, word in enumerate(words)]


def shape(phrase: Any) -> Any:
    if isinstance(phrase, Node):
        return (phrase.rule, *map(shape, phrase.parts))
    return phrase.value


def walks(table: LrTable, *words: str, every: bool = True) -> list[Any]:
    return [shape(tree.parts[0]) for tree in table.walks(items(*words), every=every)]


def test_shifts_come_first_and_every_derivation_is_found(table_of: Any) -> None:
    n = ("number", "number")
    trees = walks(table_of(AMBIGUOUS), "NUMBER", "_PLUS", "NUMBER", "_PLUS", "NUMBER")
    assert trees == [("plus", n, ("plus", n, n)), ("plus", ("plus", n, n), n)]


@pytest.mark.parametrize(("additions", "derivations"), [(0, 1), (1, 1), (2, 2), (3, 5), (4, 14), (5, 42), (6, 132)])
def test_derivations_are_counted_by_catalan_numbers(table_of: Any, additions: int, derivations: int) -> None:
    trees = walks(table_of(AMBIGUOUS), "NUMBER", *["_PLUS", "NUMBER"] * additions)
    assert len(trees) == derivations == len({repr(tree) for tree in trees})


def test_no_more_readings_are_walked_than_are_looked_at(table_of: Any) -> None:
    many = walks(table_of(AMBIGUOUS), "NUMBER", *["_PLUS", "NUMBER"] * 12)
    assert len(many) == lr_parser.MAX_READINGS


def test_a_clause_belongs_to_the_nearest_noun(table_of: Any) -> None:
    trees = walks(table_of(NEAREST), "NOUN", "_OF", "NOUN", "_THAT", "NOUN")
    one = ("noun", "noun")
    assert trees == [
        ("np", one, ("post", ("np", one, ("post", "noun")))),
        ("np", one, ("post", ("np", one)), ("post", "noun")),
    ]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("ADJECTIVE|NOUN", "NOUN"), ("np", ("noun", "adjective", "noun"))),
        (("ADJECTIVE|NOUN",), ("np", ("noun", "noun"))),  # the first sense ends in an error
        (("NOUN|ADJECTIVE", "NOUN"), ("np", ("noun", "adjective", "noun"))),
    ],
)
def test_the_sense_that_makes_a_whole_is_taken(table_of: Any, words: tuple[str, ...], expected: Any) -> None:
    assert walks(table_of(NEAREST), *words) == [expected]


@pytest.mark.parametrize(
    ("words", "at"),
    [((), 0), (("_THAT",), 0), (("NOUN", "_OF"), 2), (("NOUN", "NOUN"), 1), (("NOUN", "_OF", "NOUN", "ADJECTIVE"), 3)],
)
def test_stopped_tells_how_far_any_walk_got(table_of: Any, words: tuple[str, ...], at: int) -> None:
    with pytest.raises(Stopped) as caught:
        walks(table_of(NEAREST), *words, every=False)
    assert caught.value.at == at and not caught.value.exhausted


def test_steps_are_bounded(table_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lr_parser, "MAX_STEPS", 1000)
    words = ["NUMBER", *["_PLUS", "NUMBER"] * 12, "_PLUS"]
    with pytest.raises(Stopped) as caught:
        walks(table_of(AMBIGUOUS), *words)
    assert caught.value.exhausted and caught.value.at == len(words)


def test_dead_ends_are_walked_once(table_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them being remembered, this would take 208,012 derivations of the 13 sums."""
    monkeypatch.setattr(lr_parser, "MAX_STEPS", 1000)
    with pytest.raises(Stopped) as caught:
        walks(table_of(AMBIGUOUS), "NUMBER", *["_PLUS", "NUMBER"] * 12, "_PLUS", every=False)
    assert not caught.value.exhausted


def test_expected_follows_the_reductions(table_of: Any) -> None:
    table = table_of(NEAREST)
    assert table.expected(items()) == {"NOUN", "ADJECTIVE"}
    assert table.expected(items("NOUN")) == {"_THAT", "_OF", tables.END}
    assert table.expected(items("NOUN", "_THAT")) == {"NOUN"}
    assert table.expected(items("ADJECTIVE|NOUN")) == {"NOUN", "_THAT", "_OF", tables.END}
    assert table.expected(items("_THAT", "NOUN")) == frozenset()


def test_renamings_are_led_past(table_of: Any) -> None:
    """A chain of `?a: b` costs no reduction, and gives what is under it."""
    chain = "start: a\n?a: b\n?b: c\n?c: NUMBER\n    | _PLUS a -> plus\n%declare NUMBER _PLUS\n"
    assert walks(table_of(chain), "NUMBER") == ["number"]
    assert walks(table_of(chain), "_PLUS", "_PLUS", "NUMBER") == [("plus", ("plus", "number"))]


# --- kept tables ---


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NSREASON_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_table_is_kept_and_read_back(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tables.table_of(NEAREST)
    (file,) = folder.iterdir()
    monkeypatch.setattr(tables, "build", lambda grammar: pytest.fail("built again"))
    assert tables.table_of(NEAREST) == built
    with pytest.raises(pytest.fail.Exception):
        tables.table_of(NEAREST + "\n")  # another grammar is another file
    assert file.suffix == ".json"


@pytest.mark.parametrize("content", [b"", b"{}", b"[1, 2]", b"\xff\xfe", b"\n", b"[" * 100_000])
def test_a_broken_file_is_built_anew(folder: Path, content: bytes) -> None:
    built = tables.table_of(NEAREST)
    (file,) = folder.iterdir()
    file.write_bytes(content)
    assert tables.table_of(NEAREST) == built
    assert file.read_bytes() != content


def test_a_damaged_table_is_built_anew_wherever_the_damage_is(folder: Path) -> None:
    """Also where the file is sound JSON of the right layout: another digit would be another grammar."""
    built = tables.table_of(NEAREST)
    (file,) = folder.iterdir()
    content = file.read_bytes()
    for place in range(0, len(content), len(content) // 30):
        digit = content[place : place + 1].isdigit()
        other = b"%d" % (9 - int(content[place : place + 1])) if digit else b"?"
        file.write_bytes(content[:place] + other + content[place + 1 :])
        assert tables._kept(file, NEAREST) is None
        assert tables.table_of(NEAREST) == built == tables._kept(file, NEAREST)


def test_the_table_of_another_grammar_under_its_name_is_not_taken(folder: Path) -> None:
    tables.table_of(AMBIGUOUS)
    (file,) = folder.iterdir()
    ambiguous = file.read_bytes()
    built = tables.table_of(NEAREST)
    (other,) = set(folder.iterdir()) - {file}
    other.write_bytes(ambiguous)
    assert tables.table_of(NEAREST) == built


@pytest.mark.parametrize(
    "forge",
    [
        lambda plain: plain.rows[0].update(NOUN=10_000),
        lambda plain: plain.rows[0].update(NOUN=-10_000),
        lambda plain: plain.rows[0].update(NOUN=[1, 10_000]),
        lambda plain: setattr(plain, "start", 10_000),
        lambda plain: setattr(plain, "end", -1),
        lambda plain: plain.rules[0].keep.append((9, False)),
    ],
)
def test_a_table_that_leads_nowhere_is_built_anew_though_its_digest_fits(folder: Path, forge: Any) -> None:
    built = tables.table_of(NEAREST)
    (file,) = folder.iterdir()
    forged = tables.build(NEAREST)
    forge(forged)
    content = msgspec.json.encode(forged)
    file.write_bytes(tables._digest(NEAREST, content) + b"\n" + content)
    assert tables.table_of(NEAREST) == built


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO])
def test_a_cache_that_cannot_be_written_fails_no_parse(
    folder: Path, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", full)
    built = tables.table_of(NEAREST)
    assert built.rows and not list(folder.iterdir())
    assert tables.table_of(NEAREST) == built


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_a_cache_that_cannot_be_read_fails_no_parse(folder: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tables.table_of(NEAREST)

    def unreadable(path: Path) -> bytes:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    assert tables.table_of(NEAREST) == built


def test_a_folder_or_a_pipe_in_the_place_of_the_file(folder: Path) -> None:
    built = tables.table_of(NEAREST)
    (file,) = folder.iterdir()
    file.unlink()
    os.mkfifo(file)  # reading it would wait for ever
    assert tables.table_of(NEAREST) == built
    file.unlink()
    file.mkdir()
    assert tables.table_of(NEAREST) == built


def test_a_file_of_any_size_is_not_loaded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    built = tables.table_of(NEAREST)
    monkeypatch.setattr(tables, "LARGEST", 100)
    monkeypatch.setattr(Path, "read_bytes", lambda path: pytest.fail("read"))
    assert tables.table_of(NEAREST) == built


def test_nothing_is_kept_where_nothing_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("NSREASON_CACHE", str(blocked))
    assert tables.table_of(NEAREST).rows
    monkeypatch.setenv("NSREASON_CACHE", "off")
    assert tables.table_of(NEAREST).rows
    assert list(tmp_path.iterdir()) == [blocked]


def test_the_cache_is_found_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NSREASON_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    tables.table_of(NEAREST)
    assert [f.suffix for f in (tmp_path / "nsreason").iterdir()] == [".json"]


def test_the_same_grammar_gives_the_same_table() -> None:
    first, second = (tables.build(grammar_text("clevr_questions.lark")) for _ in range(2))
    assert first == second


def test_every_action_of_the_question_grammar_leads_somewhere() -> None:
    plain = tables.build(grammar_text("clevr_questions.lark"))
    for row in plain.rows:
        for action in itertools.chain.from_iterable([a] if isinstance(a, int) else a for a in row.values()):
            assert -len(plain.rules) <= action < len(plain.rows)


def test_an_unknown_grammar() -> None:
    with pytest.raises(DomainError, match=r"no question grammar 'x.lark' in nsreason.grammars"):
        grammar_text("x.lark")

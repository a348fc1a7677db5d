"""One file of bAbI as stories. Imports no torch.

A line is `number text`, or `number question TAB answer TAB numbers of the supporting lines`; the number 1 begins a new
story. Each question makes a `Story`: the sentences before it, without the questions before it. A bad line costs the
rest of its story, for a later question may hang on it; all other stories are kept. A file of which no question names
supporting lines (`-nosf`) gives stories without supports.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from ..errors import DataError, NsreasonError

_WORD = re.compile(r"[^\s.,;:?!]+")


@dataclass(frozen=True, slots=True)
class Story:
    """A question with the sentences before it.

    Attributes:
        task: its number, 1 to 20.
        story: the place of its story in the file, from 0; several questions share a story.
        line: the question's line in the file, from 1.
        sentences: lower-case words, without punctuation.
        question: likewise.
        answer: as written, in lower case; several things are one answer, as `milk,football`.
        supports: the places of the supporting sentences among `sentences`, in the file's order; empty where the file
            names none.
    """

    task: int
    story: int
    line: int
    sentences: tuple[tuple[str, ...], ...]
    question: tuple[str, ...]
    answer: str
    supports: tuple[int, ...]

    def __str__(self) -> str:
        lines = [f"{'*' if i in self.supports else ' '} {' '.join(s)}" for i, s in enumerate(self.sentences)]
        return "\n".join([*lines, f"? {' '.join(self.question)}", f"= {self.answer}"])


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used, with which the rest of its story is lost.

    Attributes:
        path: the file, behind the archive that holds it.
        line: from 1.
        questions: how many good-looking questions of the story were lost after it.
    """

    path: str
    line: int
    error: NsreasonError
    questions: int = 0

    def __str__(self) -> str:
        return str(self.error)


@dataclass(slots=True)
class Stories:
    """The stories of files, and the lines that were bad."""

    stories: list[Story] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.stories)

    def __iter__(self) -> Iterator[Story]:
        return iter(self.stories)


def words(text: str) -> tuple[str, ...]:
    """The lower-case words of a sentence, without its punctuation."""
    return tuple(_WORD.findall(text.lower()))


def read_stories(data: bytes, task: int, name: str = "<text>") -> Iterator[Story | BadLine]:
    """The stories of one file, each bad line among them.

    Args:
        name: the file, for messages.
    """
    if b"\t" not in data:
        if data.strip(b"\xef\xbb\xbf \r\n"):
            yield BadLine(name, 1, DataError(f"{name}: {_NO_QUESTION}"))
        return
    bare = not any(line.count(b"\t") > 1 for line in data.split(b"\n"))  # no question has supporting lines
    reader = _StoryReader(task, name, bare)
    for at, raw in enumerate(data.split(b"\n"), 1):
        if raw.strip(b"\xef\xbb\xbf \t\r"):
            line = raw.strip(b"\r")
            yield from reader.read(at, line if at > 1 else line.removeprefix(b"\xef\xbb\xbf"))
    if reader.bad is not None:
        yield reader.bad


@dataclass(slots=True)
class _StoryReader:
    """Reads the lines of a file one by one; has the story that the last one belongs to."""

    task: int
    name: str
    """The file, for messages."""
    bare: bool
    """Whether questions name no supporting lines."""
    bad: BadLine | None = None
    """The line with which the rest of the story is lost."""
    story: int = -1
    sentences: list[tuple[str, ...]] = field(default_factory=list)
    places: dict[int, int | None] = field(default_factory=dict)
    """Number of a line -> place of the sentence; None for a question."""
    known: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The words of every sentence: sentences come again and again, and are kept once."""

    def read(self, at: int, line: bytes) -> Iterator[Story | BadLine]:
        """The question of a line, if it is one; before a new story, the bad line of the last."""
        try:
            number, text = _numbered(line)
            if number == 1:
                if self.bad is not None:
                    yield self.bad
                self.sentences, self.places, self.bad = [], {}, None
                self.story += 1
            if self.bad is not None:
                lost = self.bad.questions + ("\t" in text or "?" in text)
                self.bad = replace(self.bad, questions=lost)
                return
            story = self._add(at, number, text)
        except ValueError as error:
            if self.bad is None:  # one for each story: after it, nothing of the story counts
                why = DataError(f"{self.name}: line {at}: {error}; the rest of its story is left out")
                self.bad = BadLine(self.name, at, why, int(b"\t" in line or b"?" in line))
            return
        if story is not None:
            yield story

    def _add(self, at: int, number: int, text: str) -> Story | None:
        """Add a sentence, or return a question.

        Raises:
            ValueError: why the line cannot be used.
        """
        if number != len(self.places) + 1:
            last = f"line {len(self.places)} of the story" if self.places else "the beginning"
            raise ValueError(f"the number {number} comes after {last}; a line is missing, or a story begins with 1")
        if "\t" not in text:
            self._add_sentence(number, text)
            return None
        question, answer, supports = _question(text, self.places, self.bare)
        self.places[number] = None
        return Story(self.task, max(self.story, 0), at, tuple(self.sentences), question, answer, supports)

    def _add_sentence(self, number: int, text: str) -> None:
        if "?" in text:  # no sentence of the tasks has one: taken for a sentence, it would give the answer away
            raise ValueError("a question without a tab before its answer; did its tabs become spaces?")
        self.places[number] = len(self.sentences)
        if text not in self.known:
            self.known[text] = words(text)
        if not self.known[text]:
            raise ValueError(f"'{text}' has no word")
        self.sentences.append(self.known[text])


def _numbered(raw: bytes) -> tuple[int, str]:
    try:
        line = raw.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}") from None
    number, _, text = line.lstrip().partition(" ")
    if not (number.isascii() and number.isdecimal() and int(number) >= 1):
        raise ValueError(f"a line begins with its number, from 1, and a space; got '{line[:40]}'")
    if not text.strip():
        raise ValueError("there is nothing behind the number")
    return int(number), text.strip(" ")


_NO_QUESTION = (
    "no line is a question: question, answer and supporting lines have tabs between them, and there is no tab in the "
    "file; if they became spaces, copy it again"
)


def _question(text: str, places: Mapping[int, int | None], bare: bool) -> tuple[tuple[str, ...], str, tuple[int, ...]]:
    """A question, its answer and the places of its supporting sentences; `bare` files name none."""
    parts = text.split("\t")
    if bare and len(parts) == 2:
        parts.append("")
    if len(parts) != 3:
        raise ValueError(f"a question is question, answer and supporting lines between tabs; got {len(parts)} parts")
    question, answer = words(parts[0]), ",".join(a.strip().lower() for a in parts[1].split(","))
    if not question or not answer.strip(","):
        raise ValueError("the question is empty" if not question else "the answer is empty")
    supports: list[int] = []
    for line in parts[2].replace(",", " ").split():
        place = places.get(int(line)) if line.isascii() and line.isdecimal() else None
        if place is None:
            raise ValueError(f"the supporting line '{line}' is no sentence before the question")
        supports.append(place)
    return question, answer, tuple(supports)

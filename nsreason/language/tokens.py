"""The phrases of a question, as the lexicon reads them."""

from __future__ import annotations

Sense = tuple[str, str]  # terminal, value

PLURAL = "+"  # ends the value of a NOUN that stands in the plural
REGION = "~"  # ends the value of an EXTREME that may mean a side of the picture as well: 'on the left'


class QuestionItem:
    """One phrase of a question: what it may be (first choice first), and where it begins.

    `live` says that neighbouring words may settle what it is.
    """

    __slots__ = ("live", "senses", "start", "text")

    def __init__(self, senses: tuple[Sense, ...], text: str, start: int, live: bool = False) -> None:
        self.senses, self.text, self.start, self.live = senses, text, start, live

    def __repr__(self) -> str:
        return f"QuestionItem({self.text!r}, {' | '.join(f'{t}={v}' if v else t for t, v in self.senses)})"

    def may(self, *terminals: str) -> bool:
        return any(terminal in terminals for terminal, _ in self.senses)

    def value(self, terminal: str) -> str | None:
        for other, value in self.senses:
            if other == terminal:
                return value
        return None


class UnknownWord(Exception):  # noqa: N818 - an answer to the caller, who makes the user's error of it
    """A word that no phrase begins with, or that stands alone nowhere; `before` are the phrases before it."""

    def __init__(self, word: str, start: int, before: list[QuestionItem]) -> None:
        self.word, self.start, self.before = word, start, before
        super().__init__(word)

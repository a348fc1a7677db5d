"""The exception tree. Every message says where, what was found, and what would do.

    NsreasonError
    ├── DomainError         a domain file or the use of a name that the domain does not have
    ├── ProgramError        a program that does not parse or does not type-check
    │   └── ConversionError a program that a dialect cannot say, or a dialect that does not say enough
    ├── QuestionError       a question outside the grammar or the lexicon
    ├── SceneError          a scene that is not valid
    ├── DataError           a file that cannot be read at all
    │   └── LockError       an output folder or file that another process is writing
    ├── RecipeError         a recipe, or an override of one, that does not fit its model or the training loop
    ├── CheckpointError     a checkpoint that is damaged, or of another model
    ├── TrainingError       a training run that cannot start or go on
    └── ExecutionError      a well-formed program that has no answer on this scene
        ├── NotUnique       `unique` met no object, or more than one
        └── NoSingleValue   an object has no value of the attribute that is asked for, or several

`exit_code` is what the command line returns: 2 for bad input, 1 for a sound question without an answer.

    NsreasonWarning         what a user should know, and the call goes on; the command line prints it
    └── TrustWarning        a file that is trusted names a module, which is imported: its code runs

Messages echo what was given, whatever its size. Of a line over LONGEST characters the middles of its longest words are
left out, a path say, and where that is not enough the middle of the line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

LONGEST = 300  # characters of a line of a message
LINES = 40  # of a message
NAME = 60  # characters of a name that a message offers
BESIDE = 60  # characters of an excerpt on either side of its caret
ALIKE = 0.599  # similarity from which on a known name is offered: two letters in five may differ
BEGUN = 3  # letters from which on the beginning of a name stands for it


def shortened(text: str, most: int = LONGEST) -> str:
    """The text, without its middle where it is longer than `most` characters."""
    if len(text) <= most:
        return text
    tail = (most - 5) // 3
    return f"{text[: most - 5 - tail]} ... {text[-tail:]}"


def _fitted(line: str) -> str:
    """The line in LONGEST characters: what it says matters more than the whole of a path or a name that it echoes."""
    over = len(line) - LONGEST
    if over <= 0:
        return line
    words = line.split(" ")
    for i in sorted(range(len(words)), key=lambda i: -len(words[i]))[:4]:
        cut = min(over, len(words[i]) - NAME)
        if cut <= 0:
            break
        words[i] = shortened(words[i], len(words[i]) - cut)
        over -= cut
    return shortened(" ".join(words))


def bounded(message: str) -> str:
    """A message of which no line is too long, nor are there too many."""
    if len(message) <= LONGEST:
        return message
    lines = message.split("\n", LINES)
    if len(lines) > LINES:
        rest = lines.pop()
        lines.append(f"... and {rest.count(chr(10)) + 1} more lines")
    return "\n".join(map(_fitted, lines))


def nearest(name: str, known: Iterable[str], *, most: int = 3) -> list[str]:
    """List the known names that look most like `name`, best first; never `name` itself.

    Near is a name of which few letters are other, missing, more or swapped, and one that begins with `name` or that
    `name` begins with.
    """
    from rapidfuzz import process
    from rapidfuzz.distance import OSA

    names = sorted(set(known) - {name})
    near = process.extract(name, names, scorer=OSA.normalized_similarity, limit=most, score_cutoff=ALIKE)
    begun = [n for n in names if min(len(n), len(name)) >= BEGUN and (n.startswith(name) or name.startswith(n))]
    return list(dict.fromkeys([*(n for n, _, _ in near), *sorted(begun, key=len)]))[:most]


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'count'?`, or the full list when nothing is near and the list is short, or nothing."""
    known = list(known)
    near = nearest(name, known)
    if near:
        return "; did you mean " + " or ".join(f"'{shortened(n, NAME)}'" for n in near) + "?"
    if 0 < len(known) <= 20:
        return "; known: " + ", ".join(shortened(n, NAME) for n in known)
    return ""


def caret(text: str, position: int) -> str:
    """The line of `text` that holds `position`, or what is near it of a long line, with a caret under it."""
    start = text.rfind("\n", 0, position) + 1
    end = text.find("\n", position)
    end = end if end >= 0 else len(text)
    left = right = ""
    if end - start > 2 * BESIDE:
        first = max(start, min(position - BESIDE, end - 2 * BESIDE))
        last = min(end, first + 2 * BESIDE)
        left, right = "..." * (first > start), "..." * (last < end)
        start, end = first, last
    line = left + text[start:end].replace("\t", " ") + right
    return f"    {line}\n    {' ' * (len(left) + position - start)}^"


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """1-based line and column of a character position."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def _revive(error: type[NsreasonError], args: tuple[Any, ...], state: dict[str, Any]) -> NsreasonError:
    new = error.__new__(error, *args)
    new.__dict__.update(state)
    return new


class NsreasonError(Exception):
    """Base of all errors that nsreason raises on purpose."""

    exit_code = 2

    def __init__(self, message: str = "") -> None:
        super().__init__(bounded(message))

    def __reduce__(self) -> tuple[Any, ...]:
        # The inherited way calls the class with its message alone, which the subclasses below do not accept:
        # an error raised in a worker process would then hang its pool.
        return _revive, (type(self), self.args, self.__dict__)

    def record(self) -> dict[str, object]:
        """The error as plain data, for `--json` and for prediction files."""
        return {"kind": type(self).__name__, "message": str(self)}


class DomainError(NsreasonError):
    """A domain file that is not valid, or a name that the domain does not have."""


class ProgramError(NsreasonError):
    """A program that does not parse or does not type-check.

    `node` is the index of the faulty call; a surface parser adds `text` and `position`.
    """

    def __init__(
        self, message: str, *, node: int | None = None, text: str | None = None, position: int | None = None
    ) -> None:
        super().__init__(message)
        self.reason: str = self.args[0]
        self.node, self.text, self.position = node, text, position

    def __str__(self) -> str:
        if self.text is None or self.position is None:
            return self.reason if self.node is None else f"node {self.node}: {self.reason}"
        line, column = line_and_column(self.text, self.position)
        return f"line {line}, column {column}: {self.reason}\n{caret(self.text, self.position)}"

    def record(self) -> dict[str, object]:
        return {
            "kind": type(self).__name__,
            "message": self.reason,
            "node": self.node,
            "position": self.position,
        }


class ConversionError(ProgramError):
    """A dialect cannot express the program, or its tokens do not make one."""


Hints = tuple[Sequence[str], Sequence[str]]


class QuestionError(NsreasonError):
    """A question outside the grammar: where it stopped, what could have stood there, near words.

    `hints` gives `expected` and `near` when they are first read: most errors of a data set are only counted.
    """

    def __init__(
        self,
        message: str,
        *,
        text: str,
        position: int,
        expected: Sequence[str] = (),
        near: Sequence[str] = (),
        hints: Callable[[], Hints] | None = None,
    ) -> None:
        super().__init__(message)
        self.reason: str = self.args[0]
        self.text, self.position = text, position
        self._told: Hints | None = (tuple(expected), tuple(near)) if hints is None else None
        self._hints = hints

    def _read(self) -> Hints:
        if self._told is None:
            assert self._hints is not None
            expected, near = self._hints()
            self._told, self._hints = (tuple(expected), tuple(near)), None
        return self._told

    def __reduce__(self) -> tuple[Any, ...]:
        self._read()
        return super().__reduce__()

    @property
    def expected(self) -> tuple[str, ...]:
        """Names of what could have stood at the position."""
        return tuple(self._read()[0])

    @property
    def near(self) -> tuple[str, ...]:
        """Words or phrases that look like the wrong one and would fit."""
        return tuple(self._read()[1])

    def __str__(self) -> str:
        parts = [f"column {self.position + 1}: {self.reason}"]
        if self.near:
            parts[0] += "; did you mean " + " or ".join(f"'{shortened(n, NAME)}'" for n in self.near) + "?"
        parts = [bounded(parts[0]), caret(self.text, self.position)]
        if self.expected:
            parts.append(bounded("    could stand here: " + ", ".join(self.expected)))
        return "\n".join(parts)

    def record(self) -> dict[str, object]:
        return {
            "kind": type(self).__name__,
            "message": self.reason,
            "position": self.position,
            "expected": list(self.expected),
            "near": list(self.near),
        }


class SceneError(NsreasonError):
    """A scene that is not valid; `path` says where in its JSON, as in `$.scenes[3].objects[0].color`."""

    def __init__(self, message: str, *, path: str = "$") -> None:
        self.reason, self.path = bounded(message), shortened(path)
        super().__init__(f"{self.reason} - at `{self.path}`")

    def under(self, prefix: str) -> SceneError:
        """The same error for a scene that lies at `prefix` of a larger document."""
        return SceneError(self.reason, path=prefix + self.path.removeprefix("$"))

    def record(self) -> dict[str, object]:
        return {"kind": type(self).__name__, "message": self.reason, "path": self.path}


class DataError(NsreasonError):
    """A file or record that cannot be read."""


class LockError(DataError):
    """An output folder or file that another process is writing; the message says which process."""


class RecipeError(NsreasonError):
    """A recipe that is not valid: an unknown key, a value of the wrong kind, a model that is not known."""


class CheckpointError(NsreasonError):
    """A checkpoint that cannot be read, or that holds the weights of another model."""


class TrainingError(NsreasonError):
    """A training run that cannot start or go on: an empty lesson, a loss that is not a number."""


class ExecutionError(NsreasonError):
    """A well-formed program that has no answer on this scene; `node` is the call at which it ended."""

    exit_code = 1

    def __init__(self, message: str, *, node: int | None = None) -> None:
        super().__init__(message)
        self.reason: str = self.args[0]
        self.node = node

    def record(self) -> dict[str, object]:
        return {"kind": type(self).__name__, "message": self.reason, "node": self.node}


class NotUnique(ExecutionError):  # noqa: N818 - it says what happened, as the base classes do not
    """`unique` met no object, or more than one.

    Attributes:
        objects: the indices of what it met.
        sort: what it met: objects, or in a video events.
    """

    def __init__(self, message: str, *, node: int, objects: tuple[int, ...], sort: str = "object") -> None:
        super().__init__(message, node=node)
        self.objects, self.sort = objects, sort

    def record(self) -> dict[str, object]:
        return super().record() | {"objects": list(self.objects)}


class NoSingleValue(ExecutionError):  # noqa: N818 - as NotUnique
    """An object has no value of an open attribute, or several, where one is asked for.

    Attributes:
        attribute: its name.
        object: the object's index; None where degrees do not say which one it is.
        values: all of its values.
    """

    def __init__(
        self, attribute: str, index: int | None, values: tuple[str, ...], *, node: int | None = None, where: str = ""
    ) -> None:
        listed = f"{len(values)} values of '{attribute}': {', '.join(values)}" if values else f"no '{attribute}'"
        which = "the object" if index is None else f"object {index}"
        super().__init__(f"{where}{which} has {listed}", node=node)
        self.attribute, self.object, self.values = attribute, index, values

    def record(self) -> dict[str, object]:
        return super().record() | {"object": self.object, "attribute": self.attribute, "values": list(self.values)}


class NsreasonWarning(UserWarning):
    """Base of all warnings that nsreason gives on purpose."""


class TrustWarning(NsreasonWarning):
    """A file that is trusted names a module, which is imported: its code runs."""

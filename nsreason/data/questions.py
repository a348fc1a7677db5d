"""Question files: as CLEVR released them or as its generator writes them.

The release spells answers as strings (`yes`, `3`, `red`) and names each call's op `function`; the
generator writes `true` and `3` and names it `type`. Both read as the release spells (see `answers`). A program
stays undecoded until it is asked for. What is only carried along is kept as it is, of whatever type.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from ..dsl.domain import Domain
from ..errors import DataError, ProgramError
from ..io.json_numbers import as_whole
from ..programs.program import Program
from ..scenes.scene_record import not_finite
from .answers import normalise_answer
from .records import BadRecord, RawRecord, Records, read_records
from .scenes import write_records

if TYPE_CHECKING:
    from ..programs.dialects.registry import ClevrNode


class _Row(msgspec.Struct):
    """A record as it stands in a file; keys that are not named here are ignored."""

    question: str | None = None
    program: msgspec.Raw = msgspec.Raw()
    answer: bool | int | float | str | None = None
    image_index: int | float | str | None = None
    image_filename: str | None = None
    question_index: Any = None
    question_family_index: Any = None
    template_filename: Any = None
    split: Any = None


class QuestionRecord(msgspec.Struct, frozen=True):
    """One question of a file.

    Attributes:
        index: its question_index, or its position in the file where it has none that is a whole number.
        answer: normalised (`answers.normalise_answer`), or None in a test split.
        program: the JSON text of the given program's nodes, or None; a program without nodes is none.
        question_family_index, template_filename, split: as they stand in the file.
    """

    index: int
    question: str | None = None
    answer: str | None = None
    image_index: int | None = None
    image_filename: str | None = None
    program: bytes | None = None
    question_family_index: Any = None
    template_filename: Any = None
    split: Any = None

    def given_program(self, domain: Domain | str = "clevr") -> Program | None:
        """The program that the file gives, or None.

        Raises:
            ProgramError: the nodes are malformed or do not make a program of the domain.
        """
        return None if self.program is None else decode_program(self.program, domain)

    def to_dict(self) -> dict[str, Any]:
        """The record in the released layout; what is not known is left out."""
        record = msgspec.to_builtins(self)
        record["question_index"] = record.pop("index")
        if self.program is not None:
            record["program"] = msgspec.Raw(self.program)
        return {k: v for k, v in record.items() if v is not None}


_row = msgspec.json.Decoder(_Row).decode
_NO_PROGRAM = re.compile(rb'(null|""|\[\s*\]|\{\s*\})?')


def decode_question(raw: RawRecord, position: int, where: str = "$") -> QuestionRecord:
    """One record from its JSON text.

    Raises:
        DataError: with the JSON path, which starts at `where`.
    """
    try:
        row = _row(raw)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        if not isinstance(error, msgspec.ValidationError) and (place := _not_finite(raw)):
            raise DataError(f"a number is not finite - at `{where}{place}`") from None
        message, _, path = str(error).rpartition(" - at `")
        path = path.rstrip("`") if message else "$"
        raise DataError(f"{message or error} - at `{where}{path.removeprefix('$')}`") from None
    except (UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{error} - at `{where}`") from None
    program = bytes(row.program)
    number, image = as_whole(row.question_index), as_whole(row.image_index)
    if image is None and row.image_index is not None:
        raise DataError(f"an image_index is a whole number, got {row.image_index!r:.60} - at `{where}.image_index`")
    if isinstance(row.answer, float) and not row.answer.is_integer():
        raise DataError(f"an answer is a text, a truth or a whole number, got {row.answer} - at `{where}.answer`")
    return QuestionRecord(
        position if number is None else number,
        row.question if row.question and not row.question.isspace() else None,
        normalise_answer(row.answer),
        image,
        row.image_filename or None,
        None if _NO_PROGRAM.fullmatch(program) else program,
        row.question_family_index,
        row.template_filename,
        row.split,
    )


def _not_finite(raw: RawRecord) -> str | None:
    """Where NaN or Infinity stands, which Python's json writes and JSON does not have."""
    try:
        where = not_finite(json.loads(bytes(raw)))
    except (ValueError, RecursionError):
        return None
    return None if where is None else where.removeprefix("$")


def read_questions(path: str | Path) -> Iterator[QuestionRecord | BadRecord]:
    """The questions of a file in order; one that is not valid is a BadRecord in its place.

    Records are decoded as they are taken, so memory does not grow with the file.

    Raises:
        DataError: the file cannot be read, or is not a question file.
    """
    return _questions(read_records(path, "questions"))


def _questions(records: Records) -> Iterator[QuestionRecord | BadRecord]:
    for i, raw in enumerate(records):
        try:
            yield decode_question(raw, i, records.where(i))
        except DataError as error:
            yield BadRecord(i, error, records.source)


def decode_program(raw: bytes, domain: Domain | str = "clevr") -> Program:
    """A program from the JSON text of its nodes, in the layout of the release or of the generator.

    Raises:
        ProgramError: the nodes are malformed or do not make a program of the domain.
    """
    from ..programs.dialects.registry import from_clevr

    try:
        nodes = _nodes_decoder()(raw)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ProgramError(str(error)) from None
    if not nodes:
        raise ProgramError("a program has at least one node")
    return from_clevr(nodes, domain)


@functools.cache
def _nodes_decoder() -> Callable[[bytes], list[ClevrNode]]:
    from ..programs.dialects.registry import ClevrNode  # the dialects bring Lark, which reading questions does not need

    return msgspec.json.Decoder(list[ClevrNode]).decode


def write_questions(
    path: str | Path, questions: Iterable[QuestionRecord], *, info: Mapping[str, object] | None = None
) -> int:
    """Write questions in the released layout, atomically; returns how many.

    Raises:
        DataError: the file cannot be written.
    """
    return write_records(path, "questions", (q.to_dict() for q in questions), info)

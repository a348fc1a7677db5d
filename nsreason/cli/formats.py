"""How a command writes a program: in a dialect, as a tree, as a graph."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from ..errors import ConversionError, did_you_mean

if TYPE_CHECKING:
    from ..programs.program import Program

JSON_DIALECTS = frozenset({"clevr", "clevr-raw", "ns-cl"})


class Form:
    """How programs are to be written: `key` says what as, `to` in which dialect."""

    def __init__(
        self,
        to: str = "nested",
        key: Literal["program", "tree", "dot"] = "program",
        *,
        canonical: bool = False,
    ) -> None:
        """Raises ConversionError when there is no such dialect."""
        if to != "nested":
            from ..programs.dialects.registry import DIALECTS

            if to not in DIALECTS:
                raise ConversionError(f"no dialect '{to}'{did_you_mean(to, DIALECTS)}")
        self.to, self.key, self.canonical = to, key, canonical

    def write(self, program: Program) -> str:
        """The program as text.

        Raises:
            ConversionError: the dialect cannot say it.
        """
        if self.canonical:
            from ..programs.canonical import canonical

            program = canonical(program)
        if self.key == "tree":
            return program.to_tree()
        if self.key == "dot":
            return program.to_dot()
        if self.to == "nested":
            return str(program)
        from ..programs.dialects.registry import write_program

        return write_program(program, self.to)

    def data(self, written: str) -> object:
        """The text as JSON data: a dialect that is JSON is not quoted a second time."""
        return json.loads(written) if self.to in JSON_DIALECTS else written

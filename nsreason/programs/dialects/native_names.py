"""A data set's own names for ops, as the [native] table of a domain file gives them.

CLEVR writes the attribute into the op's name: `filter_color` with the value input `red` is `filter[red]`,
`query_color` is `query[color]`, and `equal_color` is `equal` of two colors.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from ...dsl.domain import Domain, Step
from ...dsl.kinds import ATTRIBUTE, CONCEPT, WORD
from ...dsl.ops import OPS, Op
from ...errors import ConversionError, DomainError, did_you_mean
from ..program import Program

NativeName = tuple[str, tuple[str, ...]]  # a native name and its value inputs


@functools.lru_cache(maxsize=64)
def native_table(domain: Domain) -> NativeTable:
    """The table of a domain, made once.

    Raises:
        ConversionError: the domain file has no native names.
    """
    return NativeTable(domain)


class NativeTable:
    """Native names to steps and back."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.ops = {native: (op, attribute) for native, op, attribute in domain.native_ops()}
        if not self.ops:
            raise ConversionError(
                f"domain '{domain.name}' has no [native] table, so its data set's names for ops are not known"
            )
        self._names: dict[tuple[str, str | None], str] = {}
        for native, call in self.ops.items():
            self._names.setdefault(call, native)
        self._steps: dict[NativeName, Step] = {}
        self._units = {native: attribute for native, (op, attribute) in self.ops.items() if _compares(op)}

    def program(self, names: Sequence[NativeName], inputs: Sequence[tuple[int, ...]]) -> Program:
        """A program from native names.

        Raises:
            ConversionError, ProgramError: with the node that is wrong.
        """
        try:
            steps = [self._steps[t] for t in names]
        except KeyError:
            steps = [self.step(name, values, node) for node, (name, values) in enumerate(names)]
        program = Program.of_steps(self.domain, steps, inputs)
        for node, (name, _) in enumerate(names):
            if name in self._units:
                self._check_unit(name, steps[inputs[node][0]], node)
        return program

    def _check_unit(self, name: str, compared: Step, node: int) -> None:
        unit = self._units[name]
        if unit is not None and unit != compared.unit:
            message = f"{name} compares values of {unit}, got values of {compared.unit}"
            raise ConversionError(message, node=node)

    def step(self, name: str, values: tuple[str, ...], node: int | None = None) -> Step:
        """The step that a native name with its value inputs means.

        Raises:
            ConversionError: the name is not known, or the values are not ones that it takes.
        """
        step = self._steps.get((name, values))
        if step is not None:
            return step
        try:
            step = self._read(name, values)
        except (ConversionError, DomainError) as error:
            raise ConversionError(str(error), node=node) from None
        # A user's op may be defined anew, in a notebook; those of the package stay what they are.
        if step.op.function.__module__ == "nsreason.dsl.ops" and len(self._steps) < 100_000:
            self._steps[name, values] = step
        return step

    def _read(self, name: str, values: tuple[str, ...]) -> Step:
        if not name:
            raise ConversionError("the node has neither 'function' nor 'type'")
        if name not in self.ops:
            raise ConversionError(f"no function '{name}'{did_you_mean(name, self.ops)}")
        op_name, attribute = self.ops[name]
        if op_name not in OPS:
            raise ConversionError(f"[native] says that '{name}' is the op '{op_name}', which there is not")
        kinds = [param.kind for param in OPS[op_name].literals]
        literals = list(values)
        if attribute is not None and ATTRIBUTE in kinds:
            literals.insert(kinds.index(ATTRIBUTE), attribute)
        if len(literals) != len(kinds):
            takes = len(kinds) - (len(literals) - len(values))
            raise ConversionError(f"{name} takes {takes} value input(s), got {len(values)}")
        step = self.domain.step(op_name, tuple(literals))
        if attribute is not None and ATTRIBUTE not in kinds and CONCEPT in kinds:
            value = literals[kinds.index(CONCEPT)]
            own = self.domain.attribute_of[value]
            if own != attribute:
                raise ConversionError(f"{name} takes a value of {attribute}, '{value}' is one of {own}")
        return step

    def spell(self, program: Program, node: int, dialect: str) -> NativeName:
        """The native name of a call, with its value inputs.

        Raises:
            ConversionError: the data set has no name for it.
        """
        step = program.steps[node]
        literals = step.literals
        kinds = [param.kind for param in step.op.literals]
        attribute: str | None = None
        if ATTRIBUTE in kinds:
            place = kinds.index(ATTRIBUTE)
            attribute, literals = literals[place], (*literals[:place], *literals[place + 1 :])
        elif CONCEPT in kinds:
            attribute = self.domain.attribute_of[literals[kinds.index(CONCEPT)]]
        elif step.takes == (WORD, WORD):
            attribute = program.steps[program.inputs[node][0]].unit
        name = self._names.get((step.op.name, attribute))
        if name is not None:
            return name, literals
        name = self._names.get((step.op.name, None))
        if name is not None:
            return name, step.literals
        raise ConversionError(f"{dialect} has no function for '{step.op.name}'", node=node)


def _compares(op_name: str) -> bool:
    """Whether an op compares two words, so that a native name may say of which attribute."""
    op: Op | None = OPS.get(op_name)
    return op is not None and [param.kind for param in op.inputs] == [WORD, WORD]

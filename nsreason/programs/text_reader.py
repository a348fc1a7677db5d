"""Program text. Two surfaces of the same programs; each is one grammar in `grammars/programs_*.lark`.

    nested    count(filter[red](scene()))
    postfix   scene filter[red] count

A call that is used more than once is written once and named: `a = unique(scene()); equal_object(a, a)` in
nested text, `scene unique :a $a equal_object` in postfix text. So a program comes back from its text as it
was, and text grows with the program, not with the tree that the program unfolds to.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, cast

from ..dsl.domain import Domain, Step, load_domain
from ..dsl.ops import OPS
from ..errors import ConversionError, DomainError, ProgramError, did_you_mean
from .program import Program

if TYPE_CHECKING:
    from lark import Lark, Token, Tree


# --- reading ------------------------------------------------------------------------------------------------


def parse_program(text: str, domain: Domain | str = "clevr", surface: str = "nested") -> Program:
    """The program that a text says.

    Raises:
        ProgramError: the text is not a program. `error.position` is the place, and the message shows it.
        DomainError: there is no such domain.
    """
    domain = load_domain(domain)
    reader = READERS.get(surface)
    if reader is None:
        raise ConversionError(f"no surface '{surface}'{did_you_mean(surface, READERS)}")
    build = _Builder(text, domain)
    reader(_parse(text, surface), build)
    try:
        return Program.of_steps(domain, build.steps, build.inputs)
    except ProgramError as error:
        raise build.error(error.reason, build.positions[error.node or 0]) from None


@dataclass(slots=True)
class _Builder:
    """The calls read so far, where each stands in the text, and the names given to some."""

    text: str
    domain: Domain
    steps: list[Step] = field(default_factory=list)
    inputs: list[tuple[int, ...]] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    unused: dict[str, int] = field(default_factory=dict)  # name -> position

    def error(self, message: str, position: int) -> ProgramError:
        return ProgramError(message, text=self.text, position=position)

    def step(self, call: Tree[Token]) -> Step:
        """The op of a `call` tree, with its literals."""
        name, literals = _token(call), _literals(call)
        try:
            return self.domain.step(str(name), tuple(map(str, literals)))
        except DomainError as error:
            message = str(error)
        known = {*self.domain.ops, *self.names}
        if name not in OPS:
            raise self.error(f"no op '{name}'{did_you_mean(name, known)}", _at(name))
        if len(literals) == len(OPS[name].literals):
            for param, literal in zip(OPS[name].literals, literals, strict=True):
                try:
                    self.domain.literal(param.kind, str(literal))
                except DomainError as error:
                    raise self.error(str(error), _at(literal)) from None
        raise self.error(message, _at(name))

    def add(self, step: Step, inputs: tuple[int, ...], position: int) -> int:
        """A new call."""
        self.steps.append(step)
        self.inputs.append(inputs)
        self.positions.append(position)
        return len(self.steps) - 1

    def bind(self, name: Token, node: int) -> None:
        """Name a call."""
        if name in self.names:
            raise self.error(f"'{name}' is bound twice", _at(name))
        if name in OPS:
            raise self.error(f"'{name}' is the name of an op; choose another for the binding", _at(name))
        self.names[str(name)] = node
        self.unused[str(name)] = _at(name)

    def named(self, name: str) -> int:
        """The call of a name."""
        self.unused.pop(name, None)
        return self.names[name]

    def close(self) -> None:
        """A name that nothing uses is a mistake."""
        for name, position in self.unused.items():
            raise self.error(f"nothing uses '{name}'", position)


def _token(tree: Tree[Token]) -> Token:
    return cast("Token", tree.children[0])


def _at(token: Token) -> int:
    return token.start_pos or 0


def _trees(tree: Tree[Token], kind: str) -> list[Tree[Token]]:
    return [c for c in tree.children if getattr(c, "data", None) == kind]  # type: ignore[misc]


def _literals(call: Tree[Token]) -> list[Token]:
    return [t for group in _trees(call, "literals") for t in group.children]  # type: ignore[misc]


def _read_nested(start: Tree[Token], build: _Builder) -> None:
    for binding in _trees(start, "binding"):
        node = _read_call(_trees(binding, "call")[0], build)
        build.bind(_token(binding), node)
    _read_call(_trees(start, "call")[0], build)
    build.close()


def _read_call(root: Tree[Token], build: _Builder) -> int:
    """Add the calls of a tree, inputs first, without recursion: text may be nested ten thousand deep."""
    done: list[int] = []
    stack = [(root, False)]
    while stack:
        call, ready = stack.pop()
        inputs = _trees(call, "call")
        if ready:
            given = tuple(done[len(done) - len(inputs) :])
            del done[len(done) - len(inputs) :]
            name = _token(call)
            done.append(build.add(build.step(call), given, _at(name)))
        elif len(call.children) == 1 and _token(call) in build.names:
            done.append(build.named(str(_token(call))))
        else:
            build.step(call)  # first, so that errors come as people read: a call before its inputs
            stack.append((call, True))
            stack.extend((c, False) for c in reversed(inputs))
    return done[0]


def _read_postfix(start: Tree[Token], build: _Builder) -> None:
    stack: list[int] = []
    for item in start.children:
        assert not isinstance(item, str)
        name = _token(item)
        if item.data == "name":
            if not stack:
                raise build.error(f"':{name}' names the value on top of the stack, which is empty", _at(name))
            build.bind(name, stack[-1])
        elif item.data == "again":
            if name not in build.names:
                raise build.error(f"no value is named '{name}'{did_you_mean(name, build.names)}", _at(name))
            stack.append(build.named(str(name)))
        else:
            step = build.step(item)
            arity = len(step.takes)
            given = tuple(stack[max(0, len(stack) - arity) :]) if arity else ()
            del stack[len(stack) - len(given) :]
            stack.append(build.add(step, given, _at(name)))
            if len(given) < arity:
                kinds = ", ".join(build.steps[i].gives.name for i in given)
                raise build.error(f"{step.op.signature}, got ({kinds})", _at(name))
    build.close()
    if len(stack) > 1:
        left = stack[-2]
        raise build.error(f"nothing uses the result of {build.steps[left].op.name}", build.positions[left])


# --- syntax -------------------------------------------------------------------------------------------------


@functools.cache
def _grammar(surface: str) -> Lark:
    from lark import Lark

    file = resources.files("nsreason.grammars").joinpath(f"programs_{surface}.lark")
    return Lark(file.read_text(encoding="utf-8"), parser="lalr", lexer="basic")


def _parse(text: str, surface: str) -> Tree[Token]:
    from lark import UnexpectedCharacters, UnexpectedToken

    try:
        return _grammar(surface).parse(text)
    except UnexpectedCharacters as error:
        position = error.pos_in_stream or 0
        message = f"no program has the character {text[position]!r}"
    except UnexpectedToken as error:
        message, position = _explain(text, error.token, error.expected)
    raise ProgramError(message, text=text, position=position)


_SAID = {
    "NAME": "a name",
    "LSQB": "'['",
    "RSQB": "']'",
    "LPAR": "'('",
    "RPAR": "')'",
    "COMMA": "','",
    "EQUAL": "'='",
    "SEMICOLON": "';'",
    "COLON": "':'",
    "DOLLAR": "'$'",
    "$END": "the end",
}
_CLOSES = {"(": ")", "[": "]"}


def _explain(text: str, token: Token, expected: Iterable[str]) -> tuple[str, int]:
    """What a syntax error is, in words, and where."""
    at_end = token.type == "$END"
    position = len(text) if at_end else _at(token)
    open_brackets = _open_brackets(text[:position])
    if at_end and open_brackets:
        position = open_brackets[-1]
        return f"'{text[position]}' is never closed", position
    if at_end:
        position = token.end_pos or 0
    inner = text[open_brackets[-1]] if open_brackets else None
    token_text = "the text ends" if at_end else f"found '{token}'"
    # LALR merges the contexts of a state: a bracket or a ',' is only right inside one, and ';' only outside.
    wrong = {"SEMICOLON", "$END"} if inner else {"COMMA", "RPAR", "RSQB"}
    could = [said for name, said in _SAID.items() if name in expected and name not in wrong]
    if inner and token in _CLOSES.values() and token != _CLOSES[inner]:
        return f"found '{token}', but the '{inner}' before it is still open", position
    if token in _CLOSES.values() and not inner:
        return f"found '{token}', which closes no bracket", position
    return f"{token_text}; here could stand {_either(could)}", position


def _either(things: list[str]) -> str:
    return ", ".join(things[:-1]) + (" or " if things[:-1] else "") + things[-1]


def _open_brackets(text: str) -> list[int]:
    """The positions of the brackets that a text leaves open."""
    open_places: list[int] = []
    comment = False
    for position, character in enumerate(text):
        comment = character == "#" or (comment and character != "\n")
        if comment:
            continue
        if character in _CLOSES:
            open_places.append(position)
        elif character in _CLOSES.values() and open_places:
            open_places.pop()
    return open_places


_Reader = Callable[["Tree[Token]", _Builder], None]

READERS: dict[str, _Reader] = {"nested": _read_nested, "postfix": _read_postfix}
"""Surface -> what reads it; `text_writer.WRITERS` has what writes it."""

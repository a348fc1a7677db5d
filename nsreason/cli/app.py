"""The application: its commands, and how examples stand in their help."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from .. import __version__
from . import (
    ask,
    compare,
    concepts,
    convert,
    demo,
    describe,
    describe_image,
    detect,
    domains,
    evaluate,
    execute,
    exit_codes,
    generate,
    models,
    ops,
    output,
    parse,
    recipes,
    train,
)

EXIT_CODES = (
    "  0  answered",
    "  1  a sound question that has no answer on this scene; a reasoner that failed in a comparison",
    "  2  bad input: an option, a question, a program, a scene, a file",
    "130  interrupted",
    "143  ended by SIGTERM; train writes a checkpoint first",
)


class Command(TyperCommand):
    """A command with examples below its help, each on a line that is never broken: they are there to be copied."""

    examples: Sequence[str] = ()

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        output.put(output.headed("Examples", [f"$ {example}" for example in self.examples]))


class CommandGroup(TyperGroup):
    """A command of several, with examples below its help.

    Attributes:
        own: makes the command of a name that is `module:Class`; None where there is none.
    """

    examples: Sequence[str] = ()
    own: Callable[[str], tuple[Callable[..., int], Sequence[str]]] | None = None

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        command = super().get_command(ctx, cmd_name)
        own = type(self).own
        if command is None and ":" in cmd_name and own is not None:
            alone = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
            _add(alone, cmd_name, *own(cmd_name))
            return typer.main.get_command(alone)
        return command

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        output.put(output.headed("Examples", [f"$ {example}" for example in self.examples]))


class Commands(TyperGroup):
    """Commands whose typed errors end in a message and an exit code, not in a traceback."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        super().format_help(ctx, formatter)
        output.put(output.headed("Examples", ["$ nsreason demo", "$ nsreason parse --help"]) + "\n")
        output.put(output.headed("Exit codes", EXIT_CODES))

    def list_commands(self, ctx: Any) -> list[str]:
        return [_NAME[module] for module in MODULES]

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise exit_codes.ClosedPipe from None
        except SystemExit as error:
            if error.code == 1:  # what rich makes of a closed pipe, although 1 is taken
                raise exit_codes.ClosedPipe from None
            raise  # a run that SIGTERM ended says 143

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        args = list(sys.argv[1:] if args is None else args)
        before = args[: args.index("--")] if "--" in args else args
        as_json = "--json" in before
        output.level.begin(quiet=as_json)

        def run() -> Any:
            try:
                return super(Commands, self).main(args, prog_name, complete_var, False, windows_expand_args, **extra)
            except typer.Abort:
                raise KeyboardInterrupt from None
            except Exception as error:
                if not hasattr(error, "format_message"):
                    raise
                return _misused(error, as_json)

        with output.notes():
            code = exit_codes.ended(run, as_json=as_json)
        if standalone_mode:
            sys.exit(code)
        return code


def _misused(error: Any, as_json: bool) -> int:
    """A wrong option or argument: what is wrong with it, and where help is."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return 2
    message = error.format_message()
    if as_json:
        output.put_json({"error": {"kind": "UsageError", "message": message}})
        return 2
    output.complain(message)
    if context is not None:
        output.note(f"{context.get_usage()}\nTry '{context.command_path} --help' for options and examples.")
    return 2


def _version(wanted: bool) -> None:
    if wanted:
        output.put(f"nsreason {__version__}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    name="nsreason",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def nsreason(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", metavar="", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Questions to typed programs, programs to answers, and how each answer came about."""


def _help(handler: Any) -> str:
    """What a handler's docstring says; its lines are joined: the help wraps them as the terminal is wide."""
    text = (inspect.getdoc(handler) or "").replace("[", r"\[")  # or the help takes filter[red] for markup
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _add(to: typer.Typer, name: str, handler: Any, examples: Sequence[str]) -> None:
    kind = type("Command", (Command,), {"examples": examples})
    to.command(name, cls=kind, help=_help(handler))(handler)


def _add_group(name: str, module: Any) -> None:
    """A command whose first argument chooses among several, each with a page and options of its own."""
    own = getattr(module, "own_command", None)
    kind = type("Group", (CommandGroup,), {"examples": module.EXAMPLES, "own": own and staticmethod(own)})
    group = typer.Typer(cls=kind, name=name, no_args_is_help=True, help=_help(getattr(module, name)))
    for member, (handler, examples) in module.COMMANDS.items():
        _add(group, member, handler, examples)
    app.add_typer(group, name=name)


MODULES = (  # in the order of the help
    *(demo, parse, ask, execute, evaluate, describe, convert),
    *(generate, train, compare, concepts, detect, describe_image, ops, domains, models, recipes),
)
_NAME = {module: module.__name__.rpartition(".")[2].replace("_", "-") for module in MODULES}

for _module in MODULES:
    _handler = _NAME[_module].replace("-", "_")
    if hasattr(_module, "COMMANDS"):
        _add_group(_NAME[_module], _module)
    else:
        _add(app, _NAME[_module], getattr(_module, _handler), _module.EXAMPLES)

"""`nsreason ...` and `python -m nsreason ...`."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path


def main() -> None:
    """Run the command line; never returns."""
    if sys.stdout is None or sys.stderr is None:  # closed by `>&-`, or a desktop without a console
        null = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open until the end
        sys.stdout, sys.stderr = sys.stdout or null, sys.stderr or null
    for stream in (sys.stdout, sys.stderr):
        # Trees and names are UTF-8 whatever the locale says; a name that came in as raw bytes still prints.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        sys.exit(_parse(sys.argv[2:]) if sys.argv[1:2] == ["parse"] else _any())
    except KeyboardInterrupt:  # before a command was known
        sys.exit(130)


def _parse(arguments: list[str]) -> int:
    """`nsreason parse`, without typer where its arguments are plain."""
    from .cli import exit_codes, parsing

    parsed = None if "_NSREASON_COMPLETE" in os.environ else parsing.plain(arguments)
    if parsed is None:
        return _any()
    questions, options = parsed
    return exit_codes.ended(
        lambda: parsing.parse_questions(questions, **options),  # type: ignore[arg-type] # each of its own type
        as_json=bool(options.get("as_json")),
    )


def _any() -> int:
    from .cli.app import app

    code: int = app(prog_name="nsreason", standalone_mode=False)
    return code


if __name__ == "__main__":
    main()

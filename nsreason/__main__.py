"""`nsreason ...` and `python -m nsreason ...`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """Run the command line; never returns."""
    for stream in (sys.stdout, sys.stderr):
        # Trees and names are UTF-8 whatever the locale says; a name that came in as raw bytes still prints.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        from .cli.app import app

        app(prog_name="nsreason")
    except KeyboardInterrupt:  # before a command was known
        sys.exit(130)


if __name__ == "__main__":
    main()

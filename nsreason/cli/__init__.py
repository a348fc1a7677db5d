"""The command line: one file per command, each handler a thin layer over one function of the library.

Only typer is imported before a command is known: what a command needs, its handler imports.
"""

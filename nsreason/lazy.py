"""Names of a package that are imported when they are first used, so that importing the package costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazy_names(package: str, modules: Mapping[str, tuple[str, ...]]) -> Callable[[str], object]:
    """Return the `__getattr__` of a package.

    Args:
        package: its dotted name, `__name__`.
        modules: each module, relative to the package, with the names that it offers.

    Raises:
        ValueError: two modules offer one name, or a name is also a module of the package: what it stands for would
            then depend on what was imported before.
    """
    home = {name: module for module, names in modules.items() for name in names}
    if len(home) != sum(map(len, modules.values())):
        raise ValueError(f"{package}: two modules offer one name")
    clash = set(home) & {module.removeprefix(".").partition(".")[0] for module in modules}
    if clash:
        raise ValueError(f"{package}: {', '.join(sorted(clash))} would be a name and a module")

    def attribute(name: str) -> object:
        if name not in home:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value: object = getattr(import_module(home[name], package), name)
        setattr(sys.modules[package], name, value)
        return value

    return attribute

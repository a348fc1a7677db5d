"""Public names: each one exists, is imported lazily, and means the same whatever was imported before."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from nsreason.lazy import lazy_names

FACES = ["nsreason", *(f"nsreason.{room}" for room in ("comparison", "evaluation", "reasoners", "tasks", "training"))]
ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("package", FACES)
def test_each_name_is_there(package: str) -> None:
    module = import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    for name in module.__all__:
        assert not isinstance(getattr(module, name), ModuleType), f"{package}.{name} is a module"
    assert module.__doc__ and "from nsreason" in module.__doc__, f"{package} does not say how to start"
    with pytest.raises(AttributeError, match="has no attribute 'absent'"):
        _ = module.absent


@pytest.mark.parametrize("package", FACES)
def test_no_name_is_a_module_too(package: str) -> None:
    """Importing a module of a package sets it as an attribute, which would replace a function of that name."""
    folder = Path(str(import_module(package).__file__)).parent
    modules = {p.stem for p in folder.glob("*.py")} | {p.name for p in folder.iterdir() if p.is_dir()}
    assert not modules & set(import_module(package).__all__)


def test_importing_a_package_imports_none_of_its_modules() -> None:
    code = f"import sys\nimport {', '.join(FACES)}\nprint(sorted(m for m in sys.modules if m.startswith('nsreason')))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted([*FACES, "nsreason.lazy"]))


def test_a_name_that_is_also_a_module_is_refused() -> None:
    with pytest.raises(ValueError, match="trace would be a name and a module"):
        lazy_names("package", {".trace": ("trace",)})
    with pytest.raises(ValueError, match="two modules offer one name"):
        lazy_names("package", {".a": ("f",), ".b": ("f",)})

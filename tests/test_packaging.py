"""The list of packages in pyproject.toml, written by hand, must name every package and ship every file."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOL = SETTINGS["tool"]["setuptools"]
PARTS = ("nsreason", "executors", "perception", "grammars")


DATA_FOLDERS = [("nsreason.perception", "weights"), ("nsreason.pages", "templates")]
"""Folders of data below a package, which are no packages of their own."""
WEIGHTS = ROOT / "perception" / "weights"


def folder_of(package: str) -> Path:
    """Where package-dir puts a package: its own entry, or the folder below that of its parent."""
    folders: dict[str, str] = TOOL["package-dir"]
    if package in folders:
        return ROOT / folders[package]
    parent, _, name = package.rpartition(".")
    return folder_of(parent) / name


def package_files() -> dict[str, list[Path]]:
    """Every package folder of the tree, with the files that are not Python."""
    files: dict[str, list[Path]] = {}
    for part in PARTS:
        for init in (ROOT / part).rglob("__init__.py"):
            folder = init.parent
            if folder.relative_to(ROOT).parts[:2] in {("nsreason", p) for p in PARTS}:
                continue
            below = ".".join(folder.relative_to(ROOT).parts)
            package = below if part == "nsreason" else f"nsreason.{below}"
            files[package] = [
                f for f in folder.iterdir() if f.is_file() and f.suffix not in (".py", ".pyc") and f.name[0] != "."
            ]
    return files


def test_every_package_folder_is_listed_and_every_listed_package_exists() -> None:
    assert sorted(TOOL["packages"]) == sorted(package_files())


@pytest.mark.parametrize("package", TOOL["packages"])
def test_a_listed_package_lies_where_package_dir_says(package: str) -> None:
    assert (folder_of(package) / "__init__.py").is_file()


def test_every_file_that_is_not_python_is_shipped() -> None:
    for package, files in package_files().items():
        globs = TOOL["package-data"].get(package, [])
        for file in files:
            assert any(fnmatch(file.name, g) for g in globs), (
                f"{file.relative_to(ROOT)} is in no package-data of {package}"
            )


def test_every_folder_that_holds_no_modules_is_listed_and_shipped() -> None:
    listed = {folder_of(package) / folder for package, folder in DATA_FOLDERS}
    for part in PARTS:
        for folder in (p for p in (ROOT / part).rglob("*") if p.is_dir() and not p.is_symlink()):
            if "__pycache__" not in folder.parts and not (folder / "__init__.py").is_file() and any(folder.iterdir()):
                assert folder in listed, f"{folder.relative_to(ROOT)} is no package, and no folder of data"
    for package, folder in DATA_FOLDERS:
        for path in (folder_of(package) / folder).iterdir():
            globs = TOOL["package-data"][package]
            assert any(fnmatch(f"{folder}/{path.name}", g) for g in globs), f"{path.relative_to(ROOT)} is not shipped"


def test_bundled_weights_are_shipped_and_small() -> None:
    files = [path for path in WEIGHTS.glob("*") if path.is_file() and path.name[0] != "."]
    for file in files:
        assert any(fnmatch(f"weights/{file.name}", g) for g in TOOL["package-data"]["nsreason.perception"]), file
    assert sum(file.stat().st_size for file in files) <= 25_000_000


def test_every_folder_of_modules_is_a_package() -> None:
    """A folder without __init__.py imports from a checkout, and is missing from the wheel."""
    for part in PARTS:
        for path in (ROOT / part).rglob("*.py"):
            assert (path.parent / "__init__.py").is_file(), f"{path.parent.relative_to(ROOT)} has no __init__.py"


def test_the_version_is_said_once_and_alike() -> None:
    import nsreason

    assert SETTINGS["project"]["version"] == nsreason.__version__


def test_the_files_that_the_project_names_exist() -> None:
    project = SETTINGS["project"]
    assert all((ROOT / name).is_file() for name in project["license-files"])
    for target in project["scripts"].values():
        assert find_spec(target.partition(":")[0]) is not None, target
    if not (ROOT / project["readme"]).is_file():
        pytest.fail(f"{project['readme']} is named by pyproject.toml and missing")


def _setuptools() -> int:
    try:
        return int(version("setuptools").partition(".")[0])
    except PackageNotFoundError:
        return 0


@pytest.mark.slow
@pytest.mark.skipif(_setuptools() < 77, reason="needs setuptools 77 or newer to build a wheel")
def test_the_wheel_holds_every_file(tmp_path: Path) -> None:
    """Built without isolation, so without a network; the same files as in the tree, under nsreason/."""
    code = f"import setuptools.build_meta as b; print(b.build_wheel({str(tmp_path)!r}))"
    copy = tmp_path / "tree"
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    for name in filter(None, listed):
        source = ROOT / name
        if source.is_file() and name.partition("/")[0] in (*PARTS, "pyproject.toml", "README.md", "LICENSE"):
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
    done = subprocess.run([sys.executable, "-c", code], cwd=copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("nsreason/")}
    expected = {
        f"{package.replace('.', '/')}/{path.name}"
        for package in TOOL["packages"]
        for path in folder_of(package).iterdir()
        if path.is_file() and path.suffix != ".pyc" and path.name[0] != "."
    }
    for package, folder in DATA_FOLDERS:
        shipped = [path for path in (folder_of(package) / folder).glob("*") if path.is_file() and path.name[0] != "."]
        expected |= {f"{package.replace('.', '/')}/{folder}/{path.name}" for path in shipped}
    assert packed == expected

"""A page as a browser shows it; tests that need it are skipped where none is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def browse(page: str, place: str, folder: Path, *more: str) -> bytes:
    path = folder / "trace.html"
    path.write_text(page, encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync", "--disable-quic"]
    options += ["--disable-background-networking", "--disable-component-update", "--hide-scrollbars"]
    command = [str(CHROMIUM), *options, f"--user-data-dir={folder / 'profile'}", *more, path.as_uri() + place]
    settings = os.environ | {"HOME": str(folder)}
    return subprocess.run(command, capture_output=True, timeout=120, check=True, env=settings).stdout

"""The command as it is installed: the script's own folder stands first on sys.path, the working directory nowhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def as_installed(folder: Path, work: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the console script, which is put into `folder`, in the working directory `work`."""
    script = folder / "bin" / "nsreason"
    if not script.exists():
        script.parent.mkdir()
        script.write_text("from nsreason.__main__ import main\nmain()\n")
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, str(script), *arguments]
    return subprocess.run(command, cwd=work, env=env, capture_output=True, text=True, check=False, timeout=300)

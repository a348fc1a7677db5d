"""nsreason: neuro-symbolic reasoning over scenes. Importing it loads no torch.

    from nsreason import Scene, ask, execute, load_domain, parse_program, parse_question
"""

from __future__ import annotations

from pathlib import Path as _Path

__version__ = "0.1.0"

# In a checkout, executors/ and grammars/ lie beside this package, not inside it.
_root = _Path(__file__).resolve().parent.parent
if not (_root / "nsreason" / "executors").is_dir() and (_root / "executors").is_dir():
    __path__.append(str(_root))

"""The templates of all pages, filled by jinja2: what is put in is escaped, unless the template calls it safe.

    render("comparison.html", title="...", tables=[...])

Safe are drawings that this package made (SVG of scenes, plots) and tables that were rendered here. A template is read
once; what is put in is not looked at again, whatever a question says.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **values: Any) -> str:
    """Fill a template of nsreason/pages/templates with values."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """The templates; a name that is not given is an error, not an empty text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from . import svg_plot

    loader = PackageLoader("nsreason.pages")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals |= {"glyph": svg_plot.glyph}
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters["cut"] = cut
    return environment


def cut(text: str, most: int = 60) -> str:
    """Cut a text that has more letters: its beginning and `…`."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"

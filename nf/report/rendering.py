"""The template environment that all pages share."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from nf.report import formats, names

_FILTERS = (
    *("decimal", "duration", "exact_interval", "interval", "level"),
    *("p_value", "percent", "points", "quantity", "small"),
)


def environment() -> Environment:
    """Templates of this package; a name that a template does not get is an error."""
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {name: getattr(formats, name) for name in _FILTERS}
    made.filters["attack"] = names.attack_name
    made.filters["gan"] = names.gan_name
    return made

"""Tables of every setting beside its publication's: profiles' values from ``params.yaml`` and from defaults."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from nf.attacks import attack_settings
from nf.core.config import Profile, load_settings
from nf.fingerprints import make_scheme
from tools.results import records
from tools.results.publications import ATTACKS, BY_SCHEME, Published

PROFILES = ("digits", "cifar10-small", "cifar10-brief", "cifar10")
"""Those of which there are records."""

_FEW = 16  # steps of a byte, up to which a share is written as such


def scheme(name: str) -> str:
    """Settings of a scheme: published, in the variant that is its publication's, and in each profile."""
    settings = load_settings(records.ROOT / "params.yaml")
    profiles = [settings.load_profile(profile) for profile in PROFILES]
    configs = [make_scheme(name, profile.section("schemes", name)).config for profile in profiles]
    variant = "paper" if name == "naturalfinger" else f"{name}-paper"
    configs.insert(0, make_scheme(name, profiles[0].variant_section(variant)).config)
    beyond = {
        "queries": [str(profiles[0].variants.queries), *(str(profile.queries) for profile in profiles)],
        "models of each kind": [str(len(profile.zoo.pool.positive)) for profile in (profiles[0], *profiles)],
    }

    def values(row: str) -> list[str]:
        return beyond[row] if row in beyond else [shown(value_at(config, row)) for config in configs]

    return _table(BY_SCHEME[name], values, (f"variant `{variant}`, digits", *PROFILES))


def attacks() -> str:
    """Settings of training and attacks: published, and in each profile."""
    settings = load_settings(records.ROOT / "params.yaml")
    profiles = [settings.load_profile(profile) for profile in PROFILES]

    def values(row: str) -> list[str]:
        attack, dot, _ = row.partition(".")
        return [_attack_value(profile, attack, row) if dot else "as told" for profile in profiles]

    return _table(ATTACKS, values, PROFILES)


def _attack_value(profile: Profile, attack: str, row: str) -> str:
    own = profile.zoo.training if attack == "train" else attack_settings(attack, profile.zoo.attacks[attack])
    return shown(value_at(own, row.partition(".")[2]))


def _table(rows: Mapping[str, Published], values: Callable[[str], list[str]], columns: tuple[str, ...]) -> str:
    lines = [
        f"| setting | publication | authors' code | {' | '.join(columns)} | why |",
        f"|{'---|' * (len(columns) + 4)}",
    ]
    for name, published in rows.items():
        cells = [published.paper or "not stated", published.code or "not stated", *values(name), published.why]
        lines.append(f"| {_name(name)} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _name(row: str) -> str:
    return row if " " in row else f"`{row}`"


def value_at(config: Any, path: str) -> Any:
    """The value of a settings class at a path with dots between."""
    for name in path.split("."):
        config = getattr(config, name)
    return config


def shown(value: Any) -> str:
    """A value as tables have it: few 255ths as such, lists with commas."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and 0 < value < 1:
        steps = round(value * 255)
        return f"{steps}/255" if steps <= _FEW and math.isclose(value * 255, steps) else f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(map(shown, value))
    return f"{value:g}" if isinstance(value, float) else str(value)

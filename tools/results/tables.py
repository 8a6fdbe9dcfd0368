"""Write tables and numbers of README and docs from the records in ``results/``: ``python -m tools.results.tables``.

Each table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``; ``tools.results.figures`` has the
numbers within sentences. ``--check`` writes nothing and fails where a page is not what its records say.
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial
from textwrap import fill

from tools.results import (
    across,
    conventions,
    deviations,
    gpus,
    networks,
    own_model,
    robust,
    schemes,
    settings,
    verdicts,
)
from tools.results.figures import filled
from tools.results.records import ROOT

PAGES = (ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md")))
_REMEDY = ("label-transform-corrected", "twins")

TABLES: dict[str, Callable[[], str]] = {
    "runs": across.runs,
    "twins": across.twins,
    "verdicts": verdicts.verdicts,
    "verdicts-front": verdicts.front,
    "verdicts-by-kind": verdicts.verdicts_by_kind,
    "levels": verdicts.levels,
    "verdicts-by-scheme": verdicts.by_scheme,
    "detectors": across.detectors,
    "informed-detectors": across.informed_detectors,
    "digits": schemes.digits,
    "schemes-digits": schemes.schemes_digits,
    "schemes-digits-repeat": schemes.schemes_digits_repeat,
    "schemes-cifar10-small-earlier": schemes.schemes_cifar10_small_earlier,
    "detection-digits": partial(schemes.detection, "digits"),
    "detection-cifar10-brief": partial(schemes.detection, "cifar10-brief"),
    "detection-cifar10-small": partial(schemes.detection, "cifar10-small"),
    "variants-digits": partial(schemes.variants, "digits"),
    "published-digits": partial(schemes.published, "digits"),
    "gan-kinds": partial(schemes.variants, "digits", only=lambda row: row.gan_alone),
    "remedy": partial(schemes.variants, "digits", only=lambda row: row.name in _REMEDY),
    "variants-cifar10-small": partial(schemes.variants, "cifar10-small", "cifar10-small-earlier"),
    "variants-cifar10-brief": partial(schemes.variants, "cifar10-brief"),
    "cifar10": schemes.cifar10,
    "schemes-cifar10-brief": partial(schemes.schemes_beside_the_paper, "cifar10-brief"),
    "ablation-cifar10-brief": partial(schemes.ablation_beside_the_paper, "cifar10-brief"),
    "schemes-cifar10-small": partial(schemes.schemes_beside_the_paper, "cifar10-small"),
    "gans-digits": networks.gans_digits,
    "gans-cifar10": networks.gans_cifar10,
    "budget-digits": partial(networks.costs, "digits"),
    "budget-cifar10": partial(networks.costs, "cifar10"),
    "cifar10-models": networks.cifar10_models,
    "h100": gpus.h100,
    "h200": gpus.h200,
    "settings-digits": settings.settings_digits,
    "latent-steps": settings.latent_steps,
    "survivors": settings.survivors,
    "conventions": conventions.conventions,
    "conventions-each": conventions.by_convention,
    "floors": conventions.floors,
    "honest-training": own_model.honest_training,
    "own-model": own_model.own_model,
    "own-model-each": own_model.own_model_each,
    "resizing": robust.resizing,
    "torture": robust.torture,
    "load": robust.of_load,
}
SETTINGS: dict[str, Callable[[], str]] = {
    "settings-naturalfinger": partial(deviations.scheme, "naturalfinger"),
    "settings-ipguard": partial(deviations.scheme, "ipguard"),
    "settings-metav": partial(deviations.scheme, "metav"),
    "settings-metafinger": partial(deviations.scheme, "metafinger"),
    "settings-attacks": deviations.attacks,
}


def rendered(text: str) -> str:
    """``text`` with every table and number as its record says."""
    for name, table in {**TABLES, **SETTINGS}.items():
        start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
        if start in text:
            written = f"{start}\n{_wrapped(table())}\n{end}".replace("\\", r"\\")
            text = re.sub(f"{start}.*?{end}", written, text, flags=re.DOTALL)
    return filled(text)


def _wrapped(table: str) -> str:
    """``table`` with the sentences below it broken into lines of a page."""
    lines = table.splitlines()
    return "\n".join(
        line if line.startswith("|") else fill(line, 120, break_long_words=False, break_on_hyphens=False)
        for line in lines
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing and fail where a page is out of date.")
    check = parser.parse_args().check
    for page in PAGES:
        before = page.read_text()
        after = rendered(before)
        if check and before != after:
            sys.exit(f"{page.relative_to(ROOT)} differs from results/: run `python -m tools.results.tables`")
        if not check:
            page.write_text(after)

"""Write the tables of README and docs from the records in ``results/``: ``python -m tools.results.tables``.

Each table stands between ``<!-- results:NAME -->`` and ``<!-- /results:NAME -->``. ``--check`` writes nothing and fails
where a table is not what its record says.
"""

import argparse
import re
import sys
from collections.abc import Callable
from functools import partial

from tools.results import gpus, networks, schemes, settings
from tools.results.records import ROOT

PAGES = (ROOT / "README.md", *(ROOT / "docs" / f"{name}.md" for name in ("gans", "comparison", "performance")))
TABLES: dict[str, Callable[[], str]] = {
    "digits": schemes.digits,
    "schemes-digits": schemes.schemes_digits,
    "schemes-digits-repeat": schemes.schemes_digits_repeat,
    "schemes-cifar10-small-earlier": schemes.schemes_cifar10_small_earlier,
    "detection-digits": partial(schemes.detection, "digits"),
    "detection-cifar10-brief": partial(schemes.detection, "cifar10-brief"),
    "detection-cifar10-small": partial(schemes.detection, "cifar10-small"),
    "variants-digits": partial(schemes.variants, "digits"),
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
}


def rendered(text: str) -> str:
    """``text`` with every table as its record says."""
    for name, table in TABLES.items():
        start, end = f"<!-- results:{name} -->", f"<!-- /results:{name} -->"
        if start in text:
            written = f"{start}\n{table()}\n{end}".replace("\\", r"\\")
            text = re.sub(f"{start}.*?{end}", written, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing and fail where a page is out of date.")
    check = parser.parse_args().check
    for page in PAGES:
        before = page.read_text()
        after = rendered(before)
        if check and before != after:
            sys.exit(f"{page.name} differs from results/: run `python -m tools.results.tables`")
        if not check:
            page.write_text(after)

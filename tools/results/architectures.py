"""Write the table of ``docs/architectures.md`` from the networks: ``python -m tools.results.architectures``.

With ``--check`` nothing is written, and a page that is out of date fails.
"""

import argparse
import re
import sys
from pathlib import Path

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from nf.core.architectures import DISPLAY_NAMES
from nf.models import FULL_SIZE, build_body

PAGE = Path(__file__).resolve().parents[2] / "docs" / "architectures.md"
CHANNELS, CLASSES, SIZES = 3, 10, (32, 16)


def measure(architecture: str, *, full_size: bool = False) -> tuple[int, list[int]]:
    """Parameters with the last layer, and forward multiply-accumulates of one image by size; nothing is computed."""
    with torch.device("meta"):
        body, features = build_body(architecture, width=1.0, in_channels=CHANNELS, full_size=full_size)
        model = nn.Sequential(body, nn.Linear(features, CLASSES)).eval()
        counts = []
        for size in SIZES:
            with FlopCounterMode(display=False) as counter:
                model(torch.empty(1, CHANNELS, size, size))
            counts.append(counter.get_total_flops() // 2)
    return sum(parameter.numel() for parameter in model.parameters()), counts


def table() -> str:
    """All architectures as Markdown."""
    sizes = " | ".join(f"MMAC at {CHANNELS}x{size}x{size}" for size in SIZES)
    header = f"| architecture | parameters, million | {sizes} | MMAC at {CHANNELS}x{SIZES[0]}x{SIZES[0]}, full size |"
    lines = [header, "|---|---|---|" + "---|" * len(SIZES)]
    for name, display in DISPLAY_NAMES.items():
        parameters, counts = measure(name)
        cells = [display, f"{parameters / 1e6:.2f}", *(f"{count / 1e6:.1f}" for count in counts)]
        cells.append(f"{measure(name, full_size=True)[1][0] / 1e6:.1f}" if name in FULL_SIZE else "never halved")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def rendered(text: str) -> str:
    """``text`` with the table between its markers as the networks are now."""
    start, end = "<!-- architectures -->", "<!-- /architectures -->"
    return re.sub(f"{start}.*?{end}", f"{start}\n{table()}\n{end}", text, flags=re.DOTALL)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="Write nothing and fail where the page is out of date.")
    before = PAGE.read_text()
    after = rendered(before)
    if parser.parse_args().check:
        sys.exit(
            None if before == after else f"{PAGE.name} is out of date: run `python -m tools.results.architectures`"
        )
    PAGE.write_text(after)

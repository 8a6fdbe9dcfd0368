"""Seeds derived from names, so that adding a model or a scheme changes no other."""

import hashlib


def derive_seed(root: int, *names: object) -> int:
    """Seed in [0, 2**63) for the thing called ``names`` under the profile's ``root`` seed."""
    digest = hashlib.sha256("\x1f".join([str(root), *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

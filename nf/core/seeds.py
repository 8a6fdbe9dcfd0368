"""Seeds derived from names, so that adding a model or a scheme changes no other."""

import hashlib


def derive_seed(root: int, *names: object) -> int:
    """Derive the seed of one piece of work.

    Args:
        root: the profile's seed.
        names: what the piece of work is called, from the general to the particular; compared by ``str``.

    Returns:
        A seed in [0, 2**63).
    """
    digest = hashlib.sha256("\x1f".join([str(root), *map(str, names)]).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1

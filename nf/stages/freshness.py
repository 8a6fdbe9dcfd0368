"""What query sets and variants were made with, so that a comparison shows none of other settings, images or models.

DVC brings what its lists name up to date; what they no longer name stays as it was.
"""

from dataclasses import asdict
from typing import Any

from nf.core.files import canonical_json, read_json, sha256_json
from nf.core.paths import CARD_FILE, SUMMARY_FILE
from nf.core.queries import QuerySet
from nf.fingerprints import make_scheme
from nf.stages.run import Run


def query_set_is_current(run: Run, scheme: str) -> bool:
    """Whether the query set of ``scheme`` was made with the current settings and images.

    Raises:
        UnknownNameError: there is no such scheme.
        ArtifactError: the query set or the data's card is missing or damaged.
    """
    card = QuerySet.load(run.layout.fingerprint(scheme)).card
    hashes = read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`")["hashes"]
    wanted = {
        "parameters": asdict(make_scheme(scheme, run.profile.section("schemes", scheme)).config),
        "queries": run.profile.queries,
        "data_hash": {name: hashes[name] for name in card.get("data_hash", ())},
    }
    return canonical_json(wanted) == canonical_json({key: card.get(key) for key in wanted})


def variant_basis(run: Run, name: str) -> dict[str, Any]:
    """Settings of the variant ``name``, and a hash of the models that it is about; plain values.

    Raises:
        UnknownNameError: the profile has no such variant.
        ArtifactError: the zoo is not whole.
    """
    variants = run.profile.variants
    return {
        "settings": dict(run.profile.variant_section(name)),
        "queries": variants.queries,
        "models": variants.models_of(name),
        "zoo": sha256_json(read_json(run.layout.zoo / SUMMARY_FILE, advice="run `nf zoo`")),
    }


def variant_is_current(run: Run, record: dict[str, Any]) -> bool:
    """Whether a variant's ``record`` is about the current settings and models."""
    whole = (run.layout.zoo / SUMMARY_FILE).exists()
    return whole and canonical_json(record.get("basis")) == canonical_json(variant_basis(run, record["variant"]))

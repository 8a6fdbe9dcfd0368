"""What the record of a variant stands on, so that a comparison shows no record of other settings or models."""

from typing import Any

from nf.core.files import canonical_json, read_json, sha256_json
from nf.stages.run import Run
from nf.stages.zoo import SUMMARY_FILE


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
        "models": variants.models,
        "zoo": sha256_json(read_json(run.layout.zoo / SUMMARY_FILE, advice="run `nf zoo`")),
    }


def stands(run: Run, record: dict[str, Any]) -> bool:
    """Whether a variant's ``record`` is about the settings and models of now."""
    whole = (run.layout.zoo / SUMMARY_FILE).exists()
    return whole and canonical_json(record.get("basis")) == canonical_json(variant_basis(run, record["variant"]))

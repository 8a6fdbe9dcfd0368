"""What query sets and variants were made with, so that a comparison shows none of other settings, images or models.

DVC brings what its lists name up to date; what they no longer name stays as it was.
"""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from nf.core.files import canonical_json, read_json, read_notes, sha256_json
from nf.core.lineage import SOURCE_ID, Pool
from nf.core.paths import CARD_FILE, SUMMARY_FILE
from nf.core.queries import QuerySet
from nf.core.sections import parse_section
from nf.fingerprints import Scheme, make_scheme
from nf.gan import find_gan, gan_digest
from nf.stages.run import Run
from nf.zoo import ZooPlan


def query_set_is_current(run: Run, scheme: str) -> bool:
    """Whether the query set of ``scheme`` was made with the current settings, images, models and GAN.

    A set from before cards named its models and GAN is judged by the rest.

    Raises:
        UnknownNameError: there is no such scheme.
        ArtifactError: the query set or the data's card is missing or damaged.
        ConfigError: a section of the profile cannot be used.
    """
    card = QuerySet.load(run.layout.fingerprint(scheme)).card
    data = read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`")
    maker = make_scheme(scheme, run.profile.section("schemes", scheme))
    wanted: dict[str, Any] = {
        "parameters": asdict(maker.config),
        "queries": run.profile.queries,
        "data_hash": {name: data["hashes"][name] for name in card.get("data_hash", ())},
    }
    if "made_from" in card:
        if not _gans_are_current(run, maker):
            return False
        wanted["made_from"] = {"models": _recipes(ZooPlan(run.profile, data), maker), "gans": _gan_digests(run, maker)}
    return canonical_json(wanted) == canonical_json({key: card.get(key) for key in wanted})


def _recipes(plan: ZooPlan, maker: Scheme) -> str:
    """Hash of the recipes of all models that a query set of ``maker`` is made from."""
    pools: list[Pool] = ["training", "calibration"]
    if maker.wants_twins:
        pools.append("twins")
    chosen = [spec.id for pool in pools for spec in plan.lineage.select(pool=pool)]
    return sha256_json({model_id: plan.hashes[model_id] for model_id in (SOURCE_ID, *chosen)})


def _gan_digests(run: Run, maker: Scheme) -> dict[str, str]:
    """What ``gan_digest`` says of each GAN that ``maker`` draws from, as far as they are there."""
    folders = {name: run.layout.gan(name) for name in maker.gans}
    return {name: gan_digest(folder) for name, folder in folders.items() if (folder / CARD_FILE).exists()}


def _gans_are_current(run: Run, maker: Scheme) -> bool:
    """Whether the GANs that ``maker`` draws from are there, and have the settings that the profile has for them."""
    for name in maker.gans:
        path = run.layout.gan(name) / CARD_FILE
        if not path.exists():
            return False
        if name not in run.profile.gans:  # one that was imported
            continue
        config = parse_section(find_gan(name).config, run.profile.section("gans", name), f"gans.{name}")
        if canonical_json(asdict(config)) != canonical_json(read_json(path).get("config")):
            return False
    return True


def summary_is_current(run: Run, plan: ZooPlan) -> bool:
    """Whether the zoo's summary is there and about the very models of ``plan``; one that is damaged is not."""
    return read_notes(run.layout.zoo / SUMMARY_FILE).get("plan") == plan.digest


def variant_basis(run: Run, name: str) -> dict[str, Any]:
    """Settings of the variant ``name``, and hashes of the models that it is about and of its GAN; plain values.

    Raises:
        UnknownNameError: the profile has no such variant.
        ArtifactError: the zoo is not whole.
        ConfigError: the section of its scheme cannot be used.
    """
    variants = run.profile.variants
    summary = read_json(run.layout.zoo / SUMMARY_FILE, advice="run `nf zoo`")
    plan = summary.pop("plan", None)  # apart, as older records have the hash of the rest alone
    return {
        "settings": dict(run.profile.variant_section(name)),
        "queries": variants.queries,
        "models": variants.models_of(name),
        "zoo": sha256_json(summary),
        "plan": plan,
        "gans": _gan_digests(run, _maker(run, name)),
    }


def _maker(run: Run, name: str) -> Scheme:
    return make_scheme(run.profile.variants.each[name].scheme, run.profile.variant_section(name))


def current_variants(run: Run, records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those of the variants' ``records`` that are about the current settings, models and GAN.

    A record from before it named models and GAN by themselves is judged by what it does name.

    Raises:
        ArtifactError: the data's card is missing or damaged.
        ConfigError: a section of the profile cannot be used.
    """
    if not records:
        return []
    plan = ZooPlan(run.profile, read_json(run.layout.data / CARD_FILE, advice="run `nf prepare`"))
    return [record for record in records if _is_current(run, record)] if summary_is_current(run, plan) else []


def _is_current(run: Run, record: dict[str, Any]) -> bool:
    """Whether a variant's ``record`` fits all but the plan of the zoo."""
    name, recorded = record["variant"], record.get("basis")
    if not recorded:
        return False
    if "gans" in recorded and not _gans_are_current(run, _maker(run, name)):
        return False
    current = variant_basis(run, name)
    return canonical_json(recorded) == canonical_json({key: current.get(key) for key in recorded})

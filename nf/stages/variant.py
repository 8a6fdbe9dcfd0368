"""Stage ``variant``: what if a scheme had other settings? Its queries, the answers, and what they amount to."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from nf.core.config import CalibrationConfig
from nf.core.errors import NotEnoughQueriesError
from nf.core.files import write_sealed
from nf.core.queries import QuerySet
from nf.core.seeds import derive_seed
from nf.core.variants import VariantId
from nf.fingerprints import make_scheme
from nf.stages.evaluate import measure
from nf.stages.fingerprint import make_queries
from nf.stages.freshness import variant_basis
from nf.stages.run import Run
from nf.stages.score import score_suspects


@dataclass(frozen=True)
class VariantQueries:
    """A variant of which the queries are made.

    Attributes:
        id: the variant's name and seed.
        record: what is known of it before anybody is asked.
        queries: none where too few were found, which ``record`` then tells.
    """

    id: VariantId
    record: dict[str, Any]
    queries: QuerySet | None


def variant(run: Run, item: str) -> Path:
    """Make, ask and evaluate the profile's variant ``item``, such as ``twins-0``, and return the path of its metrics.

    All variants share the draws of a seed, so that they differ in their settings only. One that does not find enough
    queries is a result too: its record says how many candidates passed each test, under ``shortage``.

    Raises:
        UnknownNameError: the profile has no such variant, or its scheme or a key of its changes is unknown.
        ConfigError: ``item`` does not name a variant and a seed.
        ArtifactError: a model or the GAN is missing or damaged.
        SuspectError: a suspect cannot be loaded or asked.
    """
    return ask_variant(run, make_variant(run, VariantId.parse(item)))


def make_variant(run: Run, variant: VariantId) -> VariantQueries:
    """The queries of ``variant``, for ``ask_variant``; errors as the stage."""
    settings, section = run.profile.variants, run.profile.variant_section(variant.name)
    chosen = settings.each[variant.name]
    record: dict[str, Any] = {
        "variant": variant.name,
        "seed": variant.seed,
        "scheme": chosen.scheme,
        "changes": dict(chosen.changes),
        "parameters": asdict(make_scheme(chosen.scheme, section).config),
        "basis": variant_basis(run, variant.name),
    }
    own_seed = derive_seed(run.profile.seed, "variant", chosen.scheme, variant.seed)
    try:
        queries = make_queries(
            with_fewer_models(run, settings.models_of(variant.name)),
            chosen.scheme,
            section,
            count=settings.queries,
            seed=own_seed,
        )
    except NotEnoughQueriesError as error:
        return VariantQueries(variant, record | {"shortage": str(error)}, None)
    return VariantQueries(variant, record, queries)


def ask_variant(run: Run, made: VariantQueries) -> Path:
    """Ask all suspects what ``make_variant`` has made, evaluate the answers and return the path of the metrics.

    Raises:
        SuspectError: a suspect cannot be loaded or asked.
    """
    run = with_fewer_models(run, run.profile.variants.models_of(made.id.name))
    record, queries = made.record, made.queries
    if queries is not None:
        table, answers = score_suspects(run, queries)
        record = record | {
            "queries": len(queries),
            "training_models": len(queries.card["training_scores"]),
            "metrics": measure(run, record["scheme"], queries, table, answers),
        }
    path = run.layout.variant(made.id)
    write_sealed(path, record)
    return path


def with_fewer_models(run: Run, models: int | None) -> Run:
    """``run`` with ``models`` training models of each kind, picked evenly from its pool, and without calibration.

    ``None`` takes all training models. Variants are compared by the score that the paper compares.
    """
    zoo = replace(run.profile.zoo, calibration=CalibrationConfig())
    pool = zoo.pool if models is None else zoo.pool.at_most(models)
    return replace(run, profile=replace(run.profile, zoo=replace(zoo, pool=pool)))

"""Stage ``variant``: what if a scheme had other settings? Its queries, the answers, and what they amount to."""

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from nf.core.errors import ConfigError, NotEnoughQueriesError, UnknownNameError
from nf.core.files import write_json
from nf.core.seeds import derive_seed
from nf.fingerprints import make_scheme
from nf.stages.evaluate import measure
from nf.stages.fingerprint import make_queries
from nf.stages.run import Run
from nf.stages.verify import score_suspects


def variant(run: Run, item: str) -> Path:
    """Make, ask and evaluate the variant ``<name>/<seed>`` of the profile, and return the path of its metrics.

    All variants share the draws of a seed, so that they differ in their settings only. One that does not find enough
    queries is a result too: its record says how many candidates passed each test, under ``shortage``.

    Raises:
        UnknownNameError: the profile has no such variant, or its scheme or a key of its changes is unknown.
        ConfigError: ``item`` does not name a variant and a seed.
        ArtifactError: a model or the GAN is missing or damaged.
    """
    name, seed = _parse(item)
    settings = run.profile.variants
    if name not in settings.each:
        raise UnknownNameError(f"variant of profile {run.profile.name!r}", name, settings.each)
    chosen = settings.each[name]
    section = {
        **run.profile.section("schemes", chosen.scheme),
        **settings.common.get(chosen.scheme, {}),
        **chosen.changes,
    }
    run = _with_fewer_models(run, settings.models)
    record: dict[str, Any] = {
        "variant": name,
        "seed": seed,
        "scheme": chosen.scheme,
        "changes": dict(chosen.changes),
        "parameters": asdict(make_scheme(chosen.scheme, section).config),
    }
    own_seed = derive_seed(run.profile.seed, "variant", chosen.scheme, seed)
    try:
        queries = make_queries(run, chosen.scheme, section, count=settings.queries, seed=own_seed)
    except NotEnoughQueriesError as error:
        record["shortage"] = str(error)
    else:
        table, _ = score_suspects(run, queries)
        record |= {
            "queries": len(queries),
            "training_models": len(queries.card["training_scores"]),
            "metrics": measure(run, chosen.scheme, queries, table),
        }
    path = run.layout.variant(name, seed)
    write_json(path, record)
    return path


def _with_fewer_models(run: Run, models: int | None) -> Run:
    if models is None:
        return run
    zoo = run.profile.zoo
    return replace(run, profile=replace(run.profile, zoo=replace(zoo, pool=zoo.pool.at_most(models))))


def _parse(item: str) -> tuple[str, int]:
    name, _, seed = item.rpartition("/")
    if not name or not seed.isdecimal():
        raise ConfigError(f"variant: expected <name>/<seed>, such as twins/0, got {item!r}")
    return name, int(seed)

"""The graph of parts: what a run makes, what each part needs and reads, how to tell that it is there, how to make it.

``nf run`` and ``nf bench`` go through it. ``dvc.yaml`` says the same of its stages, and a test holds both to the same
needs.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from nf.core.config import Profile
from nf.core.errors import ConfigError, UnknownNameError
from nf.core.lineage import SOURCE_ID
from nf.core.paths import CARD_FILE, PAGE_FILE, QUALITY_FILE, SUMMARY_FILE
from nf.core.sections import parse_section
from nf.core.variants import VariantId
from nf.data import source_digests
from nf.detection import DetectorConfig
from nf.fingerprints import Scheme, make_scheme
from nf.gan import find_gan
from nf.stages import load_stage
from nf.stages.deadline import Deadline, OutOfTimeError
from nf.stages.fingerprint import has_query_set
from nf.stages.freshness import summary_is_current
from nf.stages.run import Run, silent
from nf.stages.variant import VariantQueries, ask_variant, make_variant
from nf.stages.zoo import missing_models, plan_zoo, zoo
from nf.zoo import fingerbench


@dataclass(frozen=True)
class Part:
    """One step of a run.

    Attributes:
        name: the stage in ``dvc.yaml``, with what it is about after an ``@``. A variant has two parts: ``variant@…``
            makes its queries, ``ask-variant@…`` asks them.
        writes: the file that it writes last.
        make: makes it; a picklable call where it is made beside others.
        reads: files that ``writes`` must not be older than.
        needs: names of the parts whose files it reads.
        partly: those of ``needs`` that need not be whole; the part is tried with what there is of them.
        beside: no GPU computes it, so that it is made beside those that come after it, and to its end.
        check: what else has to hold for it to be there.
        settings: plain values that it depends on and nothing above looks at; with others than before it is made again.
    """

    name: str
    writes: Path
    make: Callable[[], object]
    reads: tuple[Path, ...] = ()
    needs: tuple[str, ...] = ()
    partly: frozenset[str] = frozenset()
    beside: bool = False
    check: Callable[[], bool] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def is_there(self) -> bool:
        """Whether it is made from the current files; ``settings`` are the runner's to compare.

        Raises:
            NFError: whatever ``check`` raises.
        """
        return newer(self.writes, *self.reads) and (self.check is None or self.check())


def newer(written: Path, *sources: Path) -> bool:
    """Whether ``written`` is there and no older than any of its ``sources``."""
    return written.exists() and all(
        source.exists() and source.stat().st_mtime <= written.stat().st_mtime for source in sources
    )


@dataclass(frozen=True)
class Wanted:
    """What a run is about.

    Attributes:
        schemes: names of the schemes; the report is about the first.
        gans: names of the GANs that are trained; detectors are those of the first one's queries.
        variants: each under one seed.
    """

    schemes: tuple[str, ...]
    gans: tuple[str, ...]
    variants: tuple[VariantId, ...] = ()

    @classmethod
    def of(
        cls,
        profile: Profile,
        *,
        schemes: Sequence[str] = (),
        gans: Sequence[str] = (),
        variants: Sequence[VariantId] = (),
    ) -> "Wanted":
        """Without ``schemes`` all of the profile; ``gans``, or the profile's first, and those that images come from.

        Raises:
            UnknownNameError: the profile has no such scheme, GAN or variant, or names a GAN that there is not.
            ConfigError: a section of the profile cannot be used, or a scheme needs training models or calibration
                models that it has not; a variant never has calibration models.
        """
        for name, section in profile.gans.items():
            parse_section(find_gan(name).config, section, f"gans.{name}")
        parse_section(DetectorConfig, profile.detection, "detection")
        schemes = tuple(schemes or profile.schemes)
        for name in gans:
            profile.section("gans", name)
        found = [*(gans or tuple(profile.gans)[:1])]
        calibrated = any(spec.pool == "calibration" for spec in fingerbench(profile.zoo).specs)
        makers = [(_scheme(profile, scheme), calibrated) for scheme in schemes]
        makers += [(_variant_scheme(profile, variant.name), False) for variant in variants]  # no variant is calibrated
        for maker, can_choose in makers:
            _check_pool(profile, maker)
            maker.check_choice(calibrated=can_choose)
            found += maker.gans
        # One that was imported has no section: it is there, or its owner has to bring it.
        known = tuple(name for name in dict.fromkeys(found) if name in profile.gans)
        return cls(schemes, known, tuple(variants))


def all_parts(
    run: Run, wanted: Wanted, deadline: Deadline | None = None, *, zoo_seconds: float = math.inf
) -> list[Part]:
    """All parts of a run, each after those that it needs.

    Args:
        run: the profile and its folder; its progress is watched by the deadline.
        wanted: schemes, GANs and variants.
        deadline: the moment that ends what takes long; by default there is none.
        zoo_seconds: after which no model of the zoo is begun, so that query sets are made from what there is.
    """
    deadline = deadline or Deadline()
    building = run  # not ended between two models, as others are under way then: it is told how long it has
    aside, run = replace(run, progress=silent), replace(run, progress=deadline.watched(run.progress))
    parts = [_prepare(run), _zoo(building, deadline, zoo_seconds), _export(aside)]
    parts += [_gan(run, name) for name in wanted.gans]
    for name in wanted.schemes:
        parts += scheme_parts(run, aside, name)
    if wanted.gans:
        parts.append(_detectors(run, wanted.gans))
        parts += [_detection(run, name) for name in wanted.schemes]
    for variant in wanted.variants:
        parts += variant_parts(run, aside, variant)
    if wanted.schemes:
        parts += [_report(run, wanted.schemes[0]), _compare(run, parts)]
    return parts


def select(parts: Sequence[Part], targets: Iterable[str]) -> list[Part]:
    """Those of ``parts`` that are named in ``targets``, and all that these need; without targets every one.

    Raises:
        UnknownNameError: there is no such part.
    """
    by_name = {part.name: part for part in parts}
    todo = list(targets) or list(by_name)
    chosen: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in by_name:
            raise UnknownNameError("part", name, by_name)
        if name not in chosen:
            chosen.add(name)
            todo += by_name[name].needs
    return [part for part in parts if part.name in chosen]


def _prepare(run: Run) -> Part:
    data = run.profile.data
    settings: dict[str, Any] = {"seed": run.profile.seed, "data": asdict(data)}
    sources = [source for source in (data.source, data.knockoff, data.others) if source is not None]
    if files := [digests for source in sources if (digests := source_digests(source))]:
        settings["files"] = files
    return Part("prepare", run.layout.data / CARD_FILE, partial(load_stage("prepare"), run), settings=settings)


def _zoo(run: Run, deadline: Deadline, seconds: float) -> Part:
    def make() -> None:
        reached = zoo(run, max_seconds=min(deadline.left(), seconds))
        if reached.built < reached.total:
            raise OutOfTimeError

    def is_whole() -> bool:
        plan = plan_zoo(run)
        return not missing_models(run, plan) and summary_is_current(run, plan)

    return Part("zoo", run.layout.zoo / SUMMARY_FILE, make, needs=("prepare",), check=is_whole)


def _export(aside: Run) -> Part:
    layout = aside.layout
    return Part(
        "export",
        layout.onnx / CARD_FILE,
        partial(load_stage("export"), aside),
        reads=(layout.zoo / SUMMARY_FILE,),
        needs=("prepare", "zoo"),
        beside=True,
        settings=_asked(aside.profile),
    )


def _asked(profile: Profile) -> dict[str, Any]:
    """What the models are that are exported and asked; their recipes are in the zoo's summary, which is read."""
    return {"asked": [asdict(spec) for spec in fingerbench(profile.zoo).asked().specs]}


def _gan(run: Run, name: str) -> Part:
    layout = run.layout
    return Part(
        f"gan@{name}",
        layout.gan(name) / QUALITY_FILE,
        partial(load_stage("gan"), run, name),
        reads=(layout.data / CARD_FILE, layout.zoo / SOURCE_ID / CARD_FILE),
        needs=("prepare", "zoo"),
        partly=frozenset({"zoo"}),  # the source is the first model of it
        settings=_gan_settings(run, name),
    )


def _gan_settings(run: Run, name: str) -> dict[str, Any]:
    return {"seed": run.profile.seed, "gan": run.profile.section("gans", name)}


def scheme_parts(run: Run, aside: Run, name: str) -> Iterator[Part]:
    """Queries, answers and metrics of the scheme ``name``.

    Args:
        run: for what may be computed on a GPU.
        aside: the same run for what is made beside; it must be picklable where that is another process.
        name: the scheme, a key of ``nf.fingerprints.SCHEMES``.
    """
    layout, profile = run.layout, run.profile
    queries, scores = layout.fingerprint(name) / CARD_FILE, layout.scores(name)
    made, asked, measured = (f"{stage}@{name}" for stage in ("fingerprint", "score", "evaluate"))
    gans = _parts_of(profile, _scheme(profile, name).gans)
    yield Part(
        made,
        queries,
        partial(load_stage("fingerprint"), run, name),
        needs=("prepare", "zoo", *gans),
        partly=frozenset({"zoo"}),  # training models are built before the other suspects
        check=partial(has_query_set, run, name),
    )
    yield Part(
        asked,
        scores,
        partial(load_stage("score"), aside, name),
        reads=(queries, layout.onnx / CARD_FILE),
        needs=(made, "export"),
        beside=True,
        settings=_asked(profile),
    )
    yield Part(
        measured,
        layout.metrics(name),
        partial(load_stage("evaluate"), aside, name),
        reads=(scores,),
        needs=(made, asked),
        beside=True,
        settings={"seed": profile.seed, "evaluation": asdict(profile.evaluation)},
    )


def _detectors(run: Run, gans: Sequence[str]) -> Part:
    layout = run.layout
    return Part(
        "detectors",
        layout.detectors / CARD_FILE,
        partial(load_stage("detectors"), run, gans[0]),
        reads=tuple(layout.gan(name) / QUALITY_FILE for name in gans),
        needs=("prepare", "zoo", *(f"gan@{name}" for name in gans)),  # samples of another GAN are learned from
        partly=frozenset({"zoo"}),  # the source is the first model of it
        settings={**_gan_settings(run, gans[0]), "name": gans[0], "detection": run.profile.detection},
    )


def _detection(run: Run, name: str) -> Part:
    layout, profile = run.layout, run.profile
    return Part(
        f"detect@{name}",
        layout.detection(name),
        partial(load_stage("detect"), run, name),
        reads=(layout.fingerprint(name) / CARD_FILE, layout.detectors / CARD_FILE),
        needs=("prepare", "detectors", f"fingerprint@{name}"),
        settings={"seed": profile.seed, "detection": profile.detection},
    )


def variant_parts(run: Run, aside: Run, variant: VariantId) -> Iterator[Part]:
    """The query set of a variant under one seed and the answers to it; arguments as ``scheme_parts``.

    The first is kept in memory for the second, which is pickled with it.
    """
    layout, profile = run.layout, run.profile
    metrics, exported = layout.variant(variant), layout.onnx / CARD_FILE
    gans = _variant_scheme(profile, variant.name).gans
    made: list[VariantQueries] = []

    def make() -> None:
        metrics.unlink(missing_ok=True)
        made.append(make_variant(run, variant))

    yield Part(
        f"variant@{variant}",
        metrics,
        make,
        reads=(exported, *(layout.gan(gan) / QUALITY_FILE for gan in gans if gan in profile.gans)),
        needs=("prepare", "zoo", *_parts_of(profile, gans)),
        # Where files are still to be exported, queries are to be made again, too.
        check=partial(newer, exported, layout.zoo / SUMMARY_FILE),
        settings={
            "seed": profile.seed,
            "section": profile.variant_section(variant.name),
            "queries": profile.variants.queries,
            "models": profile.variants.models_of(variant.name),
            "evaluation": asdict(profile.evaluation),
        },
    )
    needs = (f"variant@{variant}", "export")
    yield Part(f"ask-variant@{variant}", metrics, partial(_ask_variant, aside, made), needs=needs, beside=True)


def _ask_variant(run: Run, made: list[VariantQueries]) -> None:
    ask_variant(run, made[-1])


def _scheme(profile: Profile, name: str) -> Scheme:
    return make_scheme(name, profile.section("schemes", name))


def _variant_scheme(profile: Profile, name: str) -> Scheme:
    section = profile.variant_section(name)
    return make_scheme(profile.variants.each[name].scheme, section)


def _check_pool(profile: Profile, maker: Scheme) -> None:
    for kind in ("positive", "negative", *(("twins",) if maker.wants_twins else ())):
        if not getattr(profile.zoo.pool, kind):
            raise ConfigError(f"zoo.pool.{kind}: expected some, as {maker.name} is made from them, got none")


def _parts_of(profile: Profile, gans: Iterable[str]) -> Iterator[str]:
    return (f"gan@{name}" for name in gans if name in profile.gans)


def _report(run: Run, name: str) -> Part:
    layout, profile = run.layout, run.profile
    gans = _scheme(profile, name).gans
    shown = (layout.gan(gan) / QUALITY_FILE for gan in gans)
    return Part(
        "report",
        layout.report / PAGE_FILE,
        partial(load_stage("report"), run, name),
        reads=(layout.metrics(name), layout.zoo / SUMMARY_FILE, layout.onnx / CARD_FILE, *shown),
        needs=("prepare", "zoo", "export", f"evaluate@{name}", *_parts_of(profile, gans)),
        settings={"scheme": name},
    )


def _compare(run: Run, parts: Sequence[Part]) -> Part:
    """The page about all that ``parts`` have to show, as far as it is there."""
    compared = [part for part in parts if part.name.partition("@")[0] in ("evaluate", "detect", "ask-variant")]
    names = tuple(part.name for part in compared)
    return Part(
        "compare",
        run.layout.comparison / PAGE_FILE,
        partial(load_stage("compare"), run),
        reads=tuple(part.writes for part in compared),
        needs=("prepare", "zoo", *names),
        partly=frozenset(names),
    )

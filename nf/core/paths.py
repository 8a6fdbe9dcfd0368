"""Where a profile's artifacts lie. Every stage reads and writes through these names."""

from dataclasses import dataclass
from pathlib import Path

from nf.core.variants import VariantId

# Names of files that more than one place reads or writes. A card says how what lies beside it came to be; it is written
# last, so that a folder with a card is whole.
CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"
GENERATOR_FILE = "generator.safetensors"
DISCRIMINATOR_FILE = "discriminator.safetensors"
QUERIES_FILE = "queries.safetensors"
CONTROLS_FILE = "controls.safetensors"
CALIBRATION_FILE = "calibration.json"
COMMITMENT_FILE = "commitment.json"
OPENING_FILE = "opening.json"
EVIDENCE_FILE = "evidence.json"
ANSWERS_FILE = "answers.safetensors"
SHEET_FILE = "sheet.png"
SAMPLES_FILE = "samples.png"
HISTORY_FILE = "history.csv"
QUALITY_FILE = "quality.json"
SUMMARY_FILE = "summary.json"
PARITY_FILE = "parity.csv"
COPIES_FILE = "copies.csv"
METRICS_FILE = "metrics.json"
SCORES_FILE = "scores.csv"
PAGE_FILE = "index.html"
BUDGET_FILE = "budget.csv"
VERDICTS_FILE = "verdicts.json"
SHEETS_FOLDER = "samples"
RECORD_FOLDER = "record"  # beside the profiles' folders


@dataclass(frozen=True)
class Layout:
    """Folders below ``out/<profile>/``.

    Attributes:
        root: the folder ``out/<profile>/``.
    """

    root: Path

    @property
    def data(self) -> Path:
        """``images.safetensors`` and ``card.json`` of the splits."""
        return self.root / "data"

    @property
    def zoo(self) -> Path:
        """``<id>/weights.safetensors`` and ``<id>/card.json``."""
        return self.root / "zoo"

    def gan(self, name: str) -> Path:
        """``generator.safetensors``, ``discriminator.safetensors``, ``card.json``, ``history.csv``, samples."""
        return self.root / "gan" / name

    def fingerprint(self, scheme: str) -> Path:
        """``queries.safetensors``, ``controls.safetensors``, ``calibration.json``, ``card.json``, ``sheet.png``."""
        return self.root / "fingerprints" / scheme

    @property
    def onnx(self) -> Path:
        """``<id>.onnx``, ``parity.csv``, ``copies.csv``, and ``card.json`` with digests of the ONNX files."""
        return self.root / "onnx"

    def exported(self, model_id: str) -> Path:
        """The ONNX file of one model."""
        return self.onnx / f"{model_id}.onnx"

    def scores(self, scheme: str) -> Path:
        """The score table of one scheme."""
        return self.root / "scores" / f"{scheme}.csv"

    def answers(self, scheme: str) -> Path:
        """What every suspect answered to the queries of one scheme."""
        return self.root / "scores" / f"{scheme}.safetensors"

    def metrics(self, scheme: str) -> Path:
        """ARUC and the rest, with intervals."""
        return self.root / "metrics" / f"{scheme}.json"

    def plots(self, scheme: str) -> Path:
        """``curves.csv``, ``margins.csv``, ``rates.csv``, ``budget.csv`` for DVC."""
        return self.root / "plots" / scheme

    @property
    def variants(self) -> Path:
        """``<variant>-<seed>/metrics.json``."""
        return self.root / "variants"

    def variant(self, variant: VariantId) -> Path:
        """Metrics of one variant of a scheme under one seed."""
        return self.variants / str(variant) / METRICS_FILE

    @property
    def detectors(self) -> Path:
        """What a thief trains who has seen no query: ``weights.safetensors`` and ``card.json``."""
        return self.root / "detectors"

    def detection(self, scheme: str) -> Path:
        """How many queries of one scheme a thief's detectors find."""
        return self.root / "detection" / f"{scheme}.json"

    def decoy(self, name: str) -> Path:
        """A GAN of a thief who knows how queries are made but not with which weights; no stage depends on it."""
        return self.root / "decoy" / name

    @property
    def issued(self) -> Path:
        """``ledger.json`` and one folder a query set that was ever issued; no stage depends on it."""
        return self.root / "issued"

    @property
    def watch(self) -> Path:
        """``index.html``, and each watched suspect's history and drawing; no stage depends on it."""
        return self.root / "watch"

    @property
    def report(self) -> Path:
        """``index.html``."""
        return self.root / "report"

    @property
    def comparison(self) -> Path:
        """``index.html`` and ``figures/``: all schemes side by side."""
        return self.root / "comparison"

    @property
    def progress(self) -> Path:
        """The page that a run rewrites while it goes on; no stage depends on it."""
        return self.root / "progress.html"

    @property
    def timings(self) -> Path:
        """Seconds of each stage's last run; no stage depends on it."""
        return self.root / "timings.json"

    def lock(self, name: str) -> Path:
        """An empty file that whoever is at work on the stage ``name`` holds."""
        return self.root / ".locks" / name.replace("/", "-")

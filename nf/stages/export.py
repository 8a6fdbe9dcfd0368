"""Stage ``export``: every model of the zoo becomes an ONNX file that answers like the model itself."""

from pathlib import Path

from nf.core.errors import ArtifactError
from nf.core.files import take_away, write_csv
from nf.core.lineage import SOURCE_ID, Lineage
from nf.core.paths import CARD_FILE, COPIES_FILE, PARITY_FILE
from nf.data import Splits
from nf.models.onnx import compress, export_all
from nf.stages.run import Run
from nf.stages.zoo_suspects import write_exports_card
from nf.suspects import OnnxSuspect
from nf.zoo import fingerbench

PARITY_IMAGES = 64
_CALIBRATION_IMAGES = 256
_TOLERANCE = 1e-3


def export(run: Run) -> Path:
    """Write an ONNX file for each model that is asked later, ``parity.csv``, compressed copies, last ``card.json``.

    Returns:
        Their folder.

    Raises:
        ArtifactError: a model is missing, or its file answers otherwise than the model.
    """
    take_away(run.layout.onnx / CARD_FILE)  # it is written last, and vouches for all
    lineage = fingerbench(run.profile.zoo).asked()
    splits = Splits.load(run.layout.data)
    images = splits["test"].images[:PARITY_IMAGES]
    own = run.profile.zoo.own
    asked = [SOURCE_ID] if own is not None and not own.trainable else []  # it has no weights here
    files = {
        run.layout.zoo / spec.id: run.layout.exported(spec.id)
        for spec in lineage.trained().specs
        if spec.id not in asked
    }
    rows = []
    for folder, parity in export_all(files, images, OnnxSuspect, workers=run.profile.execution.workers):
        if parity.max_abs_difference > _TOLERANCE:
            raise ArtifactError(
                f"{files[folder]}: expected logits within {_TOLERANCE} of the model's, got a difference of "
                f"{parity.max_abs_difference:.2g}"
            )
        rows.append((folder.name, f"{parity.max_abs_difference:.3g}", parity.labels_equal, parity.count))
        run.progress(len(rows), len(files), folder.name)
    write_csv(run.layout.onnx / PARITY_FILE, ("id", "max_abs_difference", "labels_equal", "images"), sorted(rows))
    _export_copies(run, lineage, splits)
    write_exports_card(
        run.layout, (spec.id for spec in lineage.specs if spec.attack != "defend" and spec.id not in asked)
    )
    return run.layout.onnx


def _export_copies(run: Run, lineage: Lineage, splits: Splits) -> None:
    """Write the compressed copies, and ``copies.csv``: how often each labels a test image as its original does."""
    test, own = splits["test"].images, splits["finetune"].images[:_CALIBRATION_IMAGES]
    rows = []
    for spec in lineage.specs:
        if spec.attack != "compress" or spec.parent is None:
            continue
        original, copy = run.layout.exported(spec.parent), run.layout.exported(spec.id)
        compress(original, copy, spec.level, own)
        labels, expected = (OnnxSuspect(path)(test).argmax(axis=1) for path in (copy, original))
        rows.append((spec.id, f"{(labels == expected).mean():.6g}", len(test), copy.stat().st_size))
    write_csv(run.layout.onnx / COPIES_FILE, ("id", "agreement", "images", "bytes"), rows)

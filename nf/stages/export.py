"""Stage ``export``: every model of the zoo becomes an ONNX file that answers like the model itself."""

import csv
import io
from pathlib import Path

from nf.core.errors import ArtifactError
from nf.core.files import write_text
from nf.data import Splits
from nf.models.onnx_export import export_all
from nf.stages.run import Run
from nf.verification import OnnxSuspect
from nf.zoo import fingerbench

PARITY_FILE = "parity.csv"
PARITY_IMAGES = 64
_TOLERANCE = 1e-3


def export(run: Run) -> Path:
    """Write ``<id>.onnx`` for every model and ``parity.csv``, and return their folder.

    Raises:
        ArtifactError: a model is missing, or its file answers otherwise than the model.
    """
    lineage = fingerbench(run.profile.zoo)
    images = Splits.load(run.layout.data)["test"].images[:PARITY_IMAGES]
    files = {run.layout.zoo / spec.id: run.layout.onnx / f"{spec.id}.onnx" for spec in lineage.specs}
    rows = []
    for folder, parity in export_all(files, images, OnnxSuspect, workers=run.profile.execution.workers):
        if parity.max_abs_difference > _TOLERANCE:
            raise ArtifactError(
                f"{files[folder]}: expected logits within {_TOLERANCE} of the model's, got a difference of "
                f"{parity.max_abs_difference:.2g}"
            )
        rows.append((folder.name, f"{parity.max_abs_difference:.3g}", parity.labels_equal, parity.count))
        run.progress(len(rows), len(files), folder.name)
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("id", "max_abs_difference", "labels_equal", "images"))
    writer.writerows(sorted(rows))
    write_text(run.layout.onnx / PARITY_FILE, buffer.getvalue())
    return run.layout.onnx

"""NaturalFinger: prove that a classifier was stolen, by asking it a hundred natural-looking images.

The package is a stack of layers (``docs/architecture.md``). ``nf.core``, ``nf.suspects``, ``nf.verdict`` and ``nf.evaluation``
import without torch; nothing in ``nf`` imports prefect, mlflow or dvc.
"""

import os

__version__ = "0.1.0"

# onnxruntime, which reads this as it is loaded, calls home otherwise: here, so that no process of ours can forget it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

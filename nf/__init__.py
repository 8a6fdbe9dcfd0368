"""NaturalFinger: prove that a classifier was stolen, by asking it a hundred natural-looking images.

Two chains of layers stand on ``nf.core`` (``docs/architecture.md``): makers of query sets, and judges of suspects;
judges import without torch. Nothing in ``nf`` imports prefect, mlflow or dvc.
"""

import os

__version__ = "0.1.0"

# onnxruntime, which reads this as it is loaded, calls home otherwise: here, so that no process of ours can forget it.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

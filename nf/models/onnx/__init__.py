"""Models as ONNX files: written and checked against torch, and compressed."""

from nf.models.onnx.compress import compress
from nf.models.onnx.export import INPUT_NAME, OnnxExporter, Parity, export_all

__all__ = ["INPUT_NAME", "OnnxExporter", "Parity", "compress", "export_all"]

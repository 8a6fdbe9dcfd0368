"""Classifiers: 15 architectures, one training loop, checkpoints and ONNX export."""

from nf.models.checkpoint import is_current, load_model, load_weights, round_weights, save_model
from nf.models.classifier import Classifier
from nf.models.device import resolve_device
from nf.models.registry import ARCHITECTURES, FULL_SIZE, build_body, build_classifier
from nf.models.training import accuracy, cross_entropy, fit, predict

__all__ = [
    "ARCHITECTURES",
    "FULL_SIZE",
    "Classifier",
    "accuracy",
    "build_body",
    "build_classifier",
    "cross_entropy",
    "fit",
    "is_current",
    "load_model",
    "load_weights",
    "predict",
    "resolve_device",
    "round_weights",
    "save_model",
]

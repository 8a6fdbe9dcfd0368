"""Classifiers: architectures, one training loop and its engine, inference, files; ``nf.models.onnx`` exports them."""

from nf.models.checkpoint import is_current, load_model, load_weights, round_weights, save_model
from nf.models.classifier import Classifier
from nf.models.device import resolve_device
from nf.models.engine import ENGINES, Engine, Update, record_cuda_graph
from nf.models.inference import agreement_mask, freeze, predicted_labels, predicted_logits, weights_hash
from nf.models.registry import ARCHITECTURES, FULL_SIZE, build_body, build_classifier
from nf.models.training import accuracy, cross_entropy, fit, predict, random_batches

__all__ = [
    "ARCHITECTURES",
    "ENGINES",
    "FULL_SIZE",
    "Classifier",
    "Engine",
    "Update",
    "accuracy",
    "agreement_mask",
    "build_body",
    "build_classifier",
    "cross_entropy",
    "fit",
    "freeze",
    "is_current",
    "load_model",
    "load_weights",
    "predict",
    "predicted_labels",
    "predicted_logits",
    "random_batches",
    "record_cuda_graph",
    "resolve_device",
    "round_weights",
    "save_model",
    "weights_hash",
]

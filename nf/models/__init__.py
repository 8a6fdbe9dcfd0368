"""Classifiers: architectures, one training loop and its engine, inference, files; ``nf.models.onnx`` exports them."""

from nf.models.black_box import AnsweringClassifier
from nf.models.checkpoint import (
    BLACK_BOX,
    build_network,
    is_current,
    load_model,
    load_weights,
    round_weights,
    save_model,
)
from nf.models.classifier import Classifier
from nf.models.device import resolve_device
from nf.models.engine import ENGINES, Engine, Update, record_cuda_graph
from nf.models.exported_program import load_program
from nf.models.inference import agreement_mask, device_of, freeze, predicted_labels, predicted_logits, weights_hash
from nf.models.outside import (
    OutsideClassifier,
    build_outside,
    load_checkpoint,
    logits_of,
    network_digest,
    open_network,
)
from nf.models.registry import ARCHITECTURES, FULL_SIZE, build_body, build_classifier
from nf.models.training import accuracy, cross_entropy, fit, predict, random_batches

__all__ = [
    "ARCHITECTURES",
    "BLACK_BOX",
    "ENGINES",
    "FULL_SIZE",
    "AnsweringClassifier",
    "Classifier",
    "Engine",
    "OutsideClassifier",
    "Update",
    "accuracy",
    "agreement_mask",
    "build_body",
    "build_classifier",
    "build_network",
    "build_outside",
    "cross_entropy",
    "device_of",
    "fit",
    "freeze",
    "is_current",
    "load_checkpoint",
    "load_model",
    "load_program",
    "load_weights",
    "logits_of",
    "network_digest",
    "open_network",
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

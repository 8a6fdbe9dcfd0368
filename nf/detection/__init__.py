"""Detectors, which a thief may put before a stolen model to tell queries from normal images (paper, section 4.5)."""

from nf.detection.abnormal import fgsm_images, noisy_images
from nf.detection.artifacts import load_detectors, save_detectors
from nf.detection.detector import DetectorConfig, abnormal_share, train_detector

__all__ = [
    "DetectorConfig",
    "abnormal_share",
    "fgsm_images",
    "load_detectors",
    "noisy_images",
    "save_detectors",
    "train_detector",
]

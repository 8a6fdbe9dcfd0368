"""Pixels as bytes, which are stored and sent, and as floats, which networks see."""

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """uint8 in [0, 255] to float32 in [0, 1]."""
    return images.to(torch.float32) / 255


def to_bytes(images: Tensor) -> Tensor:
    """Floats in [0, 1] as they are stored and sent: rounded to uint8."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)

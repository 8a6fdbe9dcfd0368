"""Pixels as bytes, which are stored and sent, and as floats, which networks see."""

import torch
from torch import Tensor


def to_float(images: Tensor) -> Tensor:
    """Convert uint8 pixels in [0, 255], of any shape, to float32 in [0, 1]."""
    return images.to(torch.float32) / 255


def to_bytes(images: Tensor) -> Tensor:
    """Round floating-point pixels in [0, 1], of any shape, to uint8 in [0, 255], as they are stored and sent."""
    return (images * 255).round().clamp(0, 255).to(torch.uint8)

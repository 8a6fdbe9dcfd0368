"""Networks at inference: frozen and folded for gradients on their input, queried for labels, named by a hash."""

import copy
import itertools
import logging
from collections.abc import Mapping, Sequence

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse

from nf.core.files import sha256_bytes

_logger = logging.getLogger(__name__)
# What symbolic tracing raises for a network whose Python code depends on its input.
_TRACE_ERRORS = (ValueError, TypeError, RuntimeError, AttributeError, NotImplementedError)


def freeze(network: nn.Module) -> nn.Module:
    """A copy of ``network`` that is fast to differentiate with respect to its input.

    Eval mode, no gradients for weights, channels last, and batch norm folded into the convolution before it where the
    network can be traced.
    """
    frozen = copy.deepcopy(network).eval()
    try:
        frozen = fuse(frozen)
    except _TRACE_ERRORS as error:
        _logger.debug("batch norm of %s is not folded: %s", type(network).__name__, error)
    return frozen.requires_grad_(False).to(memory_format=torch.channels_last)


def device_of(network: nn.Module) -> torch.device:
    """Torch device of the network's weights, or of its buffers where it has none."""
    return next(itertools.chain(network.parameters(), network.buffers())).device


@torch.no_grad()
def predicted_logits(network: nn.Module, images: Tensor, *, batch_size: int = 512) -> Tensor:
    """Logits of ``network``, without gradients.

    Args:
        network: classifier in eval mode.
        images: (N, C, H, W) float32 in [0, 1], on the network's device.
        batch_size: largest number of images in a forward pass.

    Returns:
        (N, classes) float32.
    """
    return torch.cat([network(part) for part in torch.split(images, batch_size)])


def predicted_labels(network: nn.Module, images: Tensor, *, batch_size: int = 512) -> Tensor:
    """Labels (N,) int64 of ``network``; arguments as ``predicted_logits``."""
    return predicted_logits(network, images, batch_size=batch_size).argmax(dim=1)


def to_safetensors(state: Mapping[str, Tensor]) -> bytes:
    """Weights by name as safetensors; tied ones are written under each of their names, as files share no memory."""
    copies = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in state.items()}
    return save(copies)


def weights_hash(network: nn.Module) -> str:
    """SHA-256 of the network's weights as safetensors; for a float32 model of the zoo, the hash of its weights file."""
    return sha256_bytes(to_safetensors(network.state_dict()))


def agreement_mask(models: Sequence[nn.Module], images: Tensor) -> tuple[Tensor, Tensor]:
    """Find the images to which all ``models`` give one label: the paper's sign of a sample of good quality.

    Args:
        models: the positive training models, in eval mode; at least one.
        images: (N, C, H, W) float32 in [0, 1].

    Returns:
        (N,) bool, True where all agree, and (N,) int64, the first model's labels.
    """
    labels = predicted_labels(models[0], images)
    agreed = torch.ones_like(labels, dtype=torch.bool)
    for model in models[1:]:
        agreed &= predicted_labels(model, images) == labels
    return agreed, labels

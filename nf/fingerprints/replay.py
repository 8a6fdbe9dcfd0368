"""Networks on a GPU: recorded once and replayed, as starting their hundreds of kernels one by one takes longer."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

Network = Callable[..., Tensor]


@dataclass(frozen=True)
class _Recording:
    """Recorded kernels and the network that they come from: they read its weights, and do not keep them alive."""

    kernels: Network
    network: Network

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.kernels(*inputs)


def replayed(network: Network, *examples: Tensor) -> Network:
    """``network`` as two CUDA graphs, one forward and one backward; on another device the network itself.

    Its weights must stay where they are. Each answer, and each gradient, holds until the next of its kind: use it
    before the network is called again, and walk back before that, too.

    Args:
        network: a frozen module, or a function of tensors that calls some.
        examples: one tensor for each that the network takes: later ones must have the same shapes and types, and
            gradients reach those that require them here.

    Returns:
        A function of as many tensors, differentiable once.
    """
    if examples[0].device.type != "cuda":
        return network
    held = tuple(example.detach().clone().requires_grad_(example.requires_grad) for example in examples)
    with warnings.catch_warnings():
        # It warms up on one stream and records on another, and warns of that itself; nothing else uses either.
        warnings.filterwarnings("ignore", "The AccumulateGrad node's stream", UserWarning)
        # Through a function, as a module would be changed in place.
        kernels = torch.cuda.make_graphed_callables(lambda *inputs: network(*inputs), held)
    return _Recording(cast(Network, kernels), network)


def rounded(network: Network, device: torch.device) -> Network:
    """``network`` with its products in bfloat16 on a GPU and float32 answers; on another device the network itself.

    For gradients, not for decisions: an answer of 16 is rounded to steps of 1/8, which moves the direction of a descent
    by a percent or so, and could turn the sign of a margin near zero.
    """
    if device.type != "cuda":
        return network

    def answer(*inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            return network(*inputs).float()

    return answer

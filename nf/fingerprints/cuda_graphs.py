"""Networks on a GPU: recorded once and replayed, as starting their hundreds of kernels one by one takes longer.

A replay of a network for a few hundred small images leaves most of a GPU idle, so several are replayed at a time.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from nf.models import record_cuda_graph

Network = Callable[..., Tensor]
"""Tensors -> a tensor, by frozen weights."""

Call = tuple[Network, tuple[Tensor, ...]]


@dataclass(frozen=True)
class _Recording:
    """Recorded kernels and the network that they come from: they read its weights, and do not keep them alive."""

    kernels: Network
    network: Network

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.kernels(*inputs)


def graphed(network: Network, *examples: Tensor) -> Network:
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


class _StreamGraph:
    """Kernels on a stream of their own, which run beside those of other branches.

    Not the recordings of ``graphed``: those come from one stream, and what a library sets aside for a stream, such as
    the workspace of cuBLAS, is theirs together. At the same time they would write over one another's.
    """

    def __init__(self, network: Network, examples: Sequence[Tensor]) -> None:
        self._stream = torch.cuda.Stream()
        self._network = network  # whose weights the kernels read
        self._held = tuple(example.detach().clone() for example in examples)
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream):
            network(*self._held)  # libraries choose and set up their kernels, which must not be recorded
            self._replay = record_cuda_graph(lambda: network(*self._held), ())
        self.join()

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Begin; the answer is there after ``join``, and holds until the next call."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), torch.no_grad():
            for held, given in zip(self._held, inputs, strict=True):
                held.copy_(given)
            return self._replay()

    def join(self) -> None:
        """Have the current stream wait for the answer."""
        torch.cuda.current_stream().wait_stream(self._stream)


def stream_graphed(network: Network, *examples: Tensor) -> Network:
    """``network`` as a recording for ``run_concurrently``; on another device the network itself.

    Args:
        network: a function of tensors whose answer needs no gradient; it may compute gradients inside. Its weights must
            stay where they are.
        examples: one tensor for each that it takes: later ones must have the same shapes and types.
    """
    return _StreamGraph(network, examples) if examples[0].device.type == "cuda" else network


def run_concurrently(calls: Sequence[Call]) -> list[Tensor]:
    """The answer of each network to its tensors: of branches at once, of others in turn.

    No branch may be among them twice. Its answer holds until it is called again.
    """
    answers = [network(*inputs) for network, inputs in calls]
    for network, _ in calls:
        if isinstance(network, _StreamGraph):
            network.join()
    return answers


def bf16_autocast(network: Network, device: torch.device) -> Network:
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

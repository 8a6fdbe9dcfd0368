"""Networks as CUDA graphs: recorded once and replayed, as starting their hundreds of kernels one by one takes longer.

One network on a few hundred small images leaves most of a GPU idle, so several graphs run at a time.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from nf.models import record_cuda_graph

Network = Callable[..., Tensor]
"""Function from tensors to a tensor, with frozen weights."""

Call = tuple[Network, tuple[Tensor, ...]]


@dataclass(frozen=True)
class _Recording:
    """Recorded kernels, which read the network's weights, and the network, which keeps these weights in memory.

    Attributes:
        kernels: the CUDA graphs, as a function of tensors.
        network: the network that was recorded.
    """

    kernels: Network
    network: Network

    def __call__(self, *inputs: Tensor) -> Tensor:
        return self.kernels(*inputs)


def graphed(network: Network, *examples: Tensor) -> Network:
    """``network`` as two CUDA graphs, one forward and one backward; on another device the network itself.

    Its weights must stay where they are. The next call overwrites the result, and the next backward pass the gradients:
    use a result, and walk back from it, before the network is called again.

    Args:
        network: frozen module, or function of tensors that calls frozen modules.
        examples: one tensor for each argument of the network. Later arguments must have the same shapes and types, and
            gradients reach those whose examples require them.

    Returns:
        A function of as many tensors as there are examples, differentiable once.
    """
    if examples[0].device.type != "cuda":
        return network
    held = tuple(example.detach().clone().requires_grad_(example.requires_grad) for example in examples)
    with warnings.catch_warnings():
        # Torch warms up on one stream and records on another, and warns of that itself; nothing else uses either.
        warnings.filterwarnings("ignore", "The AccumulateGrad node's stream", UserWarning)
        # Through a function, as a module would be changed in place.
        kernels = torch.cuda.make_graphed_callables(lambda *inputs: network(*inputs), held)
    return _Recording(cast(Network, kernels), network)


class _StreamGraph:
    """A network recorded on a stream of its own, so that several run at the same time.

    The recordings of ``graphed`` cannot do that: they come from one stream and share what a library allocates for a
    stream, such as the workspace of cuBLAS. At the same time they would overwrite each other's.
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
        """Start the kernels; the result is valid after ``join`` and until the next call."""
        self._stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self._stream), torch.no_grad():
            for held, given in zip(self._held, inputs, strict=True):
                held.copy_(given)
            return self._replay()

    def join(self) -> None:
        """Have the current stream wait for the result."""
        torch.cuda.current_stream().wait_stream(self._stream)


def stream_graphed(network: Network, *examples: Tensor) -> Network:
    """``network`` as a recording for ``run_concurrently``; on another device the network itself.

    Args:
        network: function of tensors whose result needs no gradient; it may compute gradients inside. Its weights must
            stay where they are.
        examples: one tensor for each argument of the network; later arguments must have the same shapes and types.
    """
    return _StreamGraph(network, examples) if examples[0].device.type == "cuda" else network


def run_concurrently(calls: Sequence[Call]) -> list[Tensor]:
    """Call networks: those of ``stream_graphed`` at the same time, others one after another.

    Args:
        calls: each network with its arguments; no network of ``stream_graphed`` may be there twice.

    Returns:
        The result of each call. That of a network of ``stream_graphed`` is valid until its next call.
    """
    answers = [network(*inputs) for network, inputs in calls]
    for network, _ in calls:
        if isinstance(network, _StreamGraph):
            network.join()
    return answers


def bf16_autocast(network: Network, device: torch.device) -> Network:
    """``network`` with products in bfloat16 on a GPU and float32 results; on another device the network itself.

    It is meant for gradients, not for decisions: a logit of 16 is rounded to steps of 1/8, which moves the direction of
    a descent by a percent or so, and could turn the sign of a margin near zero.
    """
    if device.type != "cuda":
        return network

    def answer(*inputs: Tensor) -> Tensor:
        with torch.autocast("cuda", torch.bfloat16, cache_enabled=False):
            return network(*inputs).float()

    return answer

"""Weights: orthogonal at the start, of spectral norm 1 while they train, plain once they are frozen."""

import copy
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

# Power iterations before weights are frozen: each forward pass of the training did one already.
_FINAL_ITERATIONS = 50


def weighted_layers(network: nn.Module) -> Iterator[nn.Module]:
    """The layers of ``network`` that multiply by a weight: convolutions, linear maps, embeddings."""
    return (layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear | nn.Embedding))


def initialise(network: nn.Module, seed: int, *, spectral: bool) -> None:
    """Draw orthogonal weights and zero biases, and put the weights under spectral norm if ``spectral``."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for layer in list(weighted_layers(network)):
            nn.init.orthogonal_(layer.weight)  # type: ignore[arg-type]
            bias = getattr(layer, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)
            if spectral:
                spectral_norm(layer)


@torch.no_grad()
def plain_weights(network: nn.Module) -> dict[str, Tensor]:
    """The state of ``network`` with each weight under spectral norm replaced by its normalised value.

    It fits a network of the same kind that was never put under spectral norm. (Removing the norm in place would break
    every deep copy of ``network`` as well: copies share the class that torch made for a parametrised layer.)
    """
    network = copy.deepcopy(network).train()  # the power iterations below are not part of the training
    weights = {key: value for key, value in network.state_dict().items() if ".parametrizations." not in key}
    for name, layer in network.named_modules():
        if parametrize.is_parametrized(layer, "weight"):
            for _ in range(_FINAL_ITERATIONS):
                weights[f"{name}.weight"] = layer.weight  # in training mode each look at it is one power iteration
    return weights

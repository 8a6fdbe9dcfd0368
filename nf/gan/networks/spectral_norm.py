"""Weights: orthogonal at the start, of spectral norm 1 while they train (Miyato et al., 2018), plain once frozen."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Before the first update; each update then improves the estimates by one power iteration.
_FIRST_ITERATIONS = 15
_WEIGHTED = (nn.Conv2d, nn.Linear, nn.Embedding)


def weighted_layers(network: nn.Module) -> Iterator[nn.Module]:
    """The layers of ``network`` that multiply by a weight: convolutions, linear maps, embeddings."""
    return (layer for layer in network.modules() if isinstance(layer, _WEIGHTED))


def initialise(network: nn.Module, seed: int) -> None:
    """Draw orthogonal weights under ``seed`` and set biases to zero, in place."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # not torch.manual_seed: the fence covers no GPU
        for layer in weighted_layers(network):
            nn.init.orthogonal_(_weight(layer))
            bias = getattr(layer, "bias", None)
            if bias is not None:
                nn.init.zeros_(bias)


class SpectralNorm:
    """Divides each weight of a network by an estimate of its largest singular value.

    Weights of one shape are one batch: taken one by one, as ``torch.nn.utils.parametrizations.spectral_norm`` does, the
    power iterations of a SAGAN are more operations than the rest of its update.

    Args:
        network: network with plain weights, on the device where it trains.
        seed: seed of the vectors that the power iterations start from.

    Attributes:
        vectors: for each shape of weights the estimates (layers, rows) of the left singular vectors; the whole state.
    """

    def __init__(self, network: nn.Module, seed: int) -> None:
        shapes: dict[torch.Size, list[nn.Module]] = defaultdict(list)
        for layer in weighted_layers(network):
            shapes[_weight(layer).shape].append(layer)
        self._groups = list(shapes.values())
        generator = torch.Generator().manual_seed(seed)
        self.vectors = [
            torch.randn(len(layers), len(_weight(layers[0])), generator=generator).to(_weight(layers[0]).device)
            for layers in self._groups
        ]
        with torch.no_grad():
            for layers, u in zip(self._groups, self.vectors, strict=True):
                for _ in range(_FIRST_ITERATIONS):
                    _normalised(layers, u)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network compute with normalised weights in the block; gradients reach the weights that it holds."""
        with torch.autocast(self.vectors[0].device.type, enabled=False):
            normalised = [_normalised(layers, u) for layers, u in zip(self._groups, self.vectors, strict=True)]
        layers = [layer for group in self._groups for layer in group]
        held = [layer._parameters["weight"] for layer in layers]
        try:
            _hold(layers, [weight for group in normalised for weight in group])
            yield
        finally:
            _hold(layers, held)


@torch.no_grad()
def plain_weights(network: nn.Module, *, spectral: bool) -> dict[str, Tensor]:
    """The state of ``network``, with each weight divided by its largest singular value if ``spectral``."""
    state = dict(network.state_dict())
    for name, layer in network.named_modules():
        if spectral and isinstance(layer, _WEIGHTED):
            weight = _weight(layer)
            state[f"{name}.weight"] = weight / _spectral_norm(weight.flatten(1))
    return state


def _spectral_norm(matrix: Tensor) -> Tensor:
    """Largest singular value, exactly; NaN for a diverged matrix, which the decomposition refuses."""
    finite = bool(matrix.isfinite().all())
    return torch.linalg.matrix_norm(matrix, 2) if finite else matrix.new_full((), torch.nan)


def _weight(layer: nn.Module) -> Tensor:
    return cast(Tensor, layer.weight)


def _hold(layers: Sequence[nn.Module], weights: Sequence[Any]) -> None:
    """Put ``weights`` in the place of the layers' own; as attributes, torch would take parameters only."""
    for layer, weight in zip(layers, weights, strict=True):
        layer._parameters["weight"] = weight


def _normalised(layers: Sequence[nn.Module], u: Tensor) -> list[Tensor]:
    """Weights over their norms, by one power iteration from ``u`` (layers, rows), which is overwritten."""
    matrices = torch.stack([_rows(_weight(layer)) for layer in layers])
    with torch.no_grad():
        v = F.normalize(torch.bmm(u[:, None], matrices).squeeze(1), dim=1)
    products = torch.bmm(matrices, v[:, :, None]).squeeze(2)
    norms = torch.linalg.vector_norm(products, dim=1)  # its gradient is that of u W v
    u.copy_((products / norms[:, None]).detach())
    weights = (matrices / norms[:, None, None]).unbind()
    return [_unrolled(matrix, _weight(layer).shape) for layer, matrix in zip(layers, weights, strict=True)]


def _rows(weight: Tensor) -> Tensor:
    """A matrix whose rows are filters, each in the memory order of channels_last: no matter to its norm."""
    return (weight.permute(0, 2, 3, 1) if weight.ndim == 4 else weight).flatten(1)


def _unrolled(matrix: Tensor, shape: torch.Size) -> Tensor:
    """Undo ``_rows``; a convolution's weight comes out in channels_last, as the maps that it multiplies are."""
    if len(shape) == 2:
        return matrix
    channels, *window = shape[1:]
    return matrix.view(-1, *window, channels).permute(0, 3, 1, 2)

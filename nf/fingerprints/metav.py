"""MetaV: images and a verifier network, learned together (Pan et al., KDD 2022)."""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from nf.core.sections import at_least, below_one, positive
from nf.core.seeds import derive_seed
from nf.core.verifier import LEAKY_SLOPE, Array, Verifier
from nf.data import to_bytes, to_float
from nf.fingerprints.base import Draft, Scheme, Task
from nf.fingerprints.cuda_graphs import graphed
from nf.fingerprints.pixel_adam import Adam, PixelAdam
from nf.models import freeze, predicted_labels


@dataclass(frozen=True)
class MetaVConfig:
    """Settings of MetaV. The authors' code is not public; sizes are those of a published successor for graphs.

    Attributes:
        steps: number of updates of images and verifier, each on all training models.
        image_learning_rate: Adam's learning rate on the pixels, in units of the [0, 1] range.
        learning_rate: Adam's learning rate on the verifier's weights.
        weight_decay: weight of the verifier's squared weights in its loss.
        hidden: number of outputs of each hidden layer of the verifier.
        dropout: share of inputs that are dropped before each layer but the first, in [0, 1).
        start: brightest pixel of the noise that images start from, in [0, 1].
    """

    steps: int = 1000
    image_learning_rate: float = 0.001
    learning_rate: float = 0.001
    weight_decay: float = 1e-4
    hidden: tuple[int, ...] = (128, 64, 32)
    dropout: float = 0.1
    start: float = 0.1

    def __post_init__(self) -> None:
        at_least(self, steps=1, weight_decay=0)
        positive(self, "image_learning_rate", "learning_rate", "start")
        below_one(self, "dropout")
        if any(width < 1 for width in self.hidden):
            raise ValueError(f"hidden: expected widths of at least 1, got {self.hidden}")


class MetaV(Scheme):
    """Queries from whose probabilities, all in a row, a small network tells whether a model is stolen."""

    name = "metav"
    Config = MetaVConfig
    config: MetaVConfig

    def run(self, task: Task) -> Draft:
        """Descend the verifier's cross-entropy in its weights and in the pixels of the queries."""
        config, device = self.config, task.models.device
        generator = torch.Generator().manual_seed(derive_seed(task.seed, "images"))
        shape = (task.queries, *task.data.images.shape[1:])
        adam = PixelAdam(config.start * torch.rand(shape, generator=generator).to(device), config.image_learning_rate)
        models = task.models.map(freeze)
        pool = [graphed(model, adam.leaf()) for model in (*models.positives, *models.negatives)]
        stolen = torch.tensor([1] * len(models.positives) + [0] * len(models.negatives))
        # Dropout and initial weights draw from torch's global generator. The verifier stays on the CPU: it is tiny.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(derive_seed(task.seed, "verifier"))
            verifier = _network((task.queries * task.data.num_classes, *config.hidden, 2), config.dropout)
            weights = list(verifier.parameters())
            weight_adams = [Adam(weight, config.learning_rate) for weight in weights]
            for step in range(config.steps):
                leaf = adam.leaf()
                answers = torch.stack([model(leaf).softmax(dim=1).flatten() for model in pool]).cpu()
                loss = functional.cross_entropy(verifier(answers), stolen)
                gradient, *slopes = torch.autograd.grad(loss, [leaf, *weights])
                for weight, slope, weight_adam in zip(weights, slopes, weight_adams, strict=True):
                    weight.data += weight_adam.step(slope + config.weight_decay * weight.data)
                adam.step(gradient)
                if task.progress is not None:
                    task.progress(step + 1, config.steps, {"loss": loss.item()})
        images = to_bytes(adam.images)
        labels = predicted_labels(task.models.source, to_float(images))
        return Draft(images, labels, torch.full_like(labels, -1), {"loss": loss.item()}, _export(verifier))


def _network(widths: tuple[int, ...], dropout: float) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(widths):
        layers += [nn.Linear(inputs, outputs), nn.LeakyReLU(LEAKY_SLOPE), nn.Dropout(dropout)]
    return nn.Sequential(*layers[:-2])


def _export(network: nn.Sequential) -> Verifier:
    def arrays(tensors: list[Tensor]) -> tuple[Array, ...]:
        return tuple(tensor.detach().cpu().numpy() for tensor in tensors)

    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    return Verifier(arrays([layer.weight for layer in layers]), arrays([layer.bias for layer in layers]))

"""Owners' models for ``experiments.own_model``: what people train, in the form that they have it."""

import os
from abc import ABC, abstractmethod
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models

MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


class Owner(ABC):
    """An owner with a model of one kind.

    Networks take images (N, 3, size, size) under ImageNet's normalisation and give logits, whatever the model inside
    takes and gives: so the same loop trains them, and thieves learn from them.

    Attributes:
        name: what tables call it.
        form: in what form `nf` gets the model.
        first: added to the seeds of all suspects, which are others for each model.
        rate: peak learning rate of SGD.
        pruned: layers of which a thief prunes weights; without any, there is no such thief.
    """

    name: str
    form: str
    first: int
    rate = 0.05
    pruned: tuple[type[nn.Module], ...] = (nn.Conv2d,)

    def __init__(self, out: Path, classes: int, size: int) -> None:
        self.out, self.classes, self.size = out, classes, size

    def fresh(self) -> nn.Module:
        """The network, untrained."""
        with torch.random.fork_rng():
            torch.manual_seed(self.first)
            return self._network()

    @abstractmethod
    def _network(self) -> nn.Module: ...

    @abstractmethod
    def arguments(self) -> tuple[str, ...]:
        """What `nf init` is told about the model."""

    def write(self, network: nn.Module) -> None:
        """Write the trained model in the owner's form."""
        torch.save(network.state_dict(), self.out / "model.pt")

    def source(self) -> nn.Module:
        """The trained network, in eval mode."""
        network = self.fresh()
        network.load_state_dict(torch.load(self.out / "model.pt", weights_only=True))
        return network.eval()

    def export(self, network: nn.Module, path: Path) -> None:
        """Write a copy of the model as the ONNX file of a thief, who left its form as it is."""
        export(network, path, self.size)

    def stated(self) -> tuple[str, ...]:
        """What whoever runs such a copy says about how it takes images."""
        return ("--input", f"rgb,imagenet,{self.size}")


def export(network: nn.Module, path: Path, size: int) -> None:
    """Write a network as ONNX by torch's exporter."""
    torch.onnx.export(
        network,
        (torch.zeros(2, 3, size, size),),
        path,
        dynamo=True,
        external_data=False,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1 << 12)},),
    )


class Checkpoint(Owner):
    """A ResNet18 of torchvision with a checkpoint."""

    name, form, first = "ResNet18", "checkpoint", 0

    def _network(self) -> nn.Module:
        network: nn.Module = models.get_model("resnet18", num_classes=self.classes)
        return network

    def arguments(self) -> tuple[str, ...]:
        """Network and checkpoint."""
        return ("torchvision:resnet18", "--weights", "model.pt", *self.stated())


class OnnxAlone(Checkpoint):
    """The same as nothing but an ONNX file."""

    form = "ONNX alone"

    def write(self, network: nn.Module) -> None:
        """Write the file beside the weights."""
        super().write(network)
        export(network, self.out / "model.onnx", self.size)

    def arguments(self) -> tuple[str, ...]:
        """The file."""
        return ("model.onnx", *self.stated())


class Keras(Owner):
    """A small convolutional network of Keras, which takes bytes with channels last, as nothing but an ONNX file.

    Keras runs on torch here, and is not installed with the project: `pip install keras`.
    """

    name, form, first = "Keras CNN", "ONNX alone", 100
    pruned = ()  # its layers are not torch's

    def _network(self) -> nn.Module:
        return _KerasNetwork(self.classes, self.size)

    def arguments(self) -> tuple[str, ...]:
        """The file, of which `nf init` finds out the rest."""
        return ("model.onnx",)

    def write(self, network: nn.Module) -> None:
        """Write the file beside the weights."""
        super().write(network)
        self.export(network, self.out / "model.onnx")

    def export(self, network: nn.Module, path: Path) -> None:
        """By Keras's own exporter."""
        assert isinstance(network, _KerasNetwork)
        with torch.no_grad():
            network(torch.zeros(1, 3, self.size, self.size))  # Keras exports nothing that was never called
        network.body.export(str(path), format="onnx", verbose=False)

    def stated(self) -> tuple[str, ...]:
        """Nothing: that is found, too."""
        return ()


class _KerasNetwork(nn.Module):
    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        os.environ.setdefault("KERAS_BACKEND", "torch")
        import keras
        from keras import layers

        keras.utils.clear_session()  # names of weights count from here

        def block(width: int, times: int) -> list[Any]:
            convolution = partial(layers.Conv2D, width, 3, padding="same", use_bias=False)
            return [each() for _ in range(times) for each in (convolution, layers.BatchNormalization, layers.ReLU)]

        self.body: Any = keras.Sequential(
            [
                layers.Input((size, size, 3)),
                layers.Rescaling(1 / 255),
                *block(32, 2),
                layers.MaxPooling2D(),
                *block(64, 2),
                layers.MaxPooling2D(),
                *block(128, 2),
                layers.GlobalAveragePooling2D(),
                layers.Dense(classes),
            ]
        )

    def train(self, mode: bool = True) -> "_KerasNetwork":
        """Keras is told with each call."""
        self.training = mode
        return self

    def forward(self, images: Tensor) -> Tensor:
        pixels = 255 * (images * STD.view(1, 3, 1, 1) + MEAN.view(1, 3, 1, 1))
        logits: Tensor = self.body(pixels.permute(0, 2, 3, 1), training=self.training)
        return logits


class VisionTransformer(Owner):
    """A small vision transformer of Hugging Face, in the folder that ``save_pretrained`` writes."""

    name, form, first, rate = "ViT", "Hugging Face folder", 200, 0.02
    pruned = (nn.Conv2d, nn.Linear)

    def _network(self) -> nn.Module:
        return _Vit(self.classes, self.size)

    def arguments(self) -> tuple[str, ...]:
        """The folder."""
        return ("hf:vit", *self.stated())

    def write(self, network: nn.Module) -> None:
        """Write the folder beside the weights."""
        super().write(network)
        assert isinstance(network, _Vit)
        network.body.save_pretrained(self.out / "vit")


class _Vit(nn.Module):
    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        from transformers import ViTConfig, ViTForImageClassification

        self.body = ViTForImageClassification(
            ViTConfig(
                hidden_size=96,
                num_hidden_layers=4,
                num_attention_heads=4,
                intermediate_size=192,
                image_size=size,
                patch_size=size // 8,
                id2label={number: str(number) for number in range(classes)},
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.body(pixel_values=images).logits
        return logits


OWNERS: dict[str, type[Owner]] = {
    "checkpoint": Checkpoint,
    "onnx": OnnxAlone,
    "keras": Keras,
    "vit": VisionTransformer,
}
"""By the name that the command takes."""

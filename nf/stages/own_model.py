"""The owner's model as the source of a zoo: opened, asked as its interface says, its answers kept."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from nf.core.answer_memory import AnswerMemory
from nf.core.answers import Answers
from nf.core.config import NetworkConfig, OwnModelConfig
from nf.core.controls import Controls
from nf.core.errors import ConfigError
from nf.core.files import read_json
from nf.core.interface import Interface
from nf.core.lineage import SOURCE_ID
from nf.core.paths import CARD_FILE, Layout
from nf.core.sections import parse_section
from nf.models import (
    BLACK_BOX,
    AnsweringClassifier,
    Classifier,
    load_model,
    load_program,
    logits_of,
    network_digest,
    open_network,
)
from nf.suspects import Found, Network, Port, Raw, Searchable, Signature, choose, interpret, open_suspect
from nf.suspects import open_network as open_file


class TorchNetwork(Network):
    """A torch module that is asked like a suspect's file: images as somebody says, answers in its own terms.

    Args:
        network: module from its ``inputs``, images among them, to logits.
        inputs: what it takes, in its order.
        name: what messages call it.
    """

    batch_size = 64

    def __init__(self, network: nn.Module, inputs: tuple[Port, ...], name: str) -> None:
        self.path = Path(name)
        self.signature = Signature(inputs, (Port("logits", "float32", None),))
        self._network = network

    @torch.no_grad()
    def run(self, feeds: Mapping[str, NDArray[Any]], wanted: list[Port]) -> list[Raw]:
        """The logits of the images in ``feeds``."""
        answer = self._network(*(torch.from_numpy(feeds[port.name]) for port in self.signature.inputs))
        return [logits_of(answer).float().cpu().numpy()]


class OwnModel:
    """A model of the owner's that answers in its own terms; errors as of ``nf.suspects.Searchable``.

    Args:
        network: a network in this process, or a server.
        stated: what is stated of how it is asked.
    """

    def __init__(self, network: Network | Searchable, stated: Interface) -> None:
        self._network = network
        self._stated = stated

    def find(self, controls: Controls, num_classes: int) -> Found:
        """How it wants to be asked, by its answers to ``controls``.

        Raises:
            NoVerdictError: it answers too few of them rightly, however it is asked.
            SuspectError: it cannot answer.
        """
        if not isinstance(self._network, Network):
            return self._network.find(controls, num_classes)
        return self._network.find(controls, num_classes, self._stated)

    def answers(self, images: NDArray[np.uint8], num_classes: int) -> Answers:
        """What it says of the owner's classes, asked as is stated."""
        how, network = self._stated, self._network
        raws = network.ask(images, how) if isinstance(network, Network) else network.ask(images, [how])[0]
        return interpret(choose(raws, how), how, len(images), num_classes)


def open_own_model(config: NetworkConfig, num_classes: int, channels: int) -> OwnModel:
    """The model that ``config`` names, whatever it is, to be asked.

    Args:
        config: the model and how it is asked, as far as that is known.
        num_classes: number of the owner's classes.
        channels: channels of a network that is built by a factory, where its interface does not say: 1 or 3.

    Raises:
        ConfigError: it cannot be opened.
        ArtifactError: the model's weights or program cannot be read.
        SuspectError: the model's file cannot be loaded.
    """
    how = config.interface
    if config.trainable:
        takes = how.channels_taken(channels)
        network = open_network(config, how.outputs_for(num_classes), takes).eval()
        images = Port("images", "float32", (None, takes, None, None))
        return OwnModel(TorchNetwork(network, (images,), config.open), how)
    if config.kind == "exported":
        return OwnModel(_open_program(config.open), how)
    if config.kind == "served":
        served = open_suspect(config.open, stated=how)
        if not isinstance(served, Searchable):
            raise ConfigError(f"own: expected a server that can be asked, got {config.open}")
        return OwnModel(served, how)
    return OwnModel(open_file(Path(config.open)), how)


def _open_program(path: str) -> TorchNetwork:
    """A program, which takes what it was exported with: of other shapes where these were said to be dynamic."""
    program, module = load_program(Path(path))
    given = program.graph_signature.user_inputs
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.name in given}
    inputs = tuple(_port(name, value) for name, value in values.items() if isinstance(value, torch.Tensor))
    return TorchNetwork(module, inputs, path)


def _port(name: str, example: torch.Tensor) -> Port:
    shape = tuple(size if isinstance(size, int) else None for size in example.shape)
    return Port(name, str(example.dtype).removeprefix("torch."), shape)


def own_digest(own: OwnModelConfig) -> str:
    """SHA-256 of the owner's model.

    Raises:
        ConfigError: it is another one than the profile was written for.
    """
    digest = network_digest(own)
    if own.digest and own.digest != digest:
        raise ConfigError(
            f"zoo.own: {own.open} is not the model that this profile was written for; run `nf init` again"
        )
    return digest


def ask_black_box(config: NetworkConfig, memory: Path, num_classes: int, channels: int) -> AnsweringClassifier:
    """A black box as a classifier that keeps all answers in ``memory``."""
    digest = network_digest(config)
    asked = open_own_model(config, num_classes, channels)
    answer = partial(asked.answers, num_classes=num_classes)
    return AnsweringClassifier(answer, num_classes, channels, digest, AnswerMemory(memory, digest))


def load_source(layout: Layout) -> Classifier:
    """The source in eval mode, on the CPU: from the zoo, or, as it has no weights there, a black box to be asked.

    Raises:
        ArtifactError: it is not in the zoo yet, or damaged.
    """
    folder = layout.zoo / SOURCE_ID
    build = read_json(folder / CARD_FILE, advice="build the model with `nf zoo`")["build"]
    if BLACK_BOX not in build:
        return load_model(folder)[0]
    how = parse_section(Interface, build["interface"], "interface")
    config = NetworkConfig(build[BLACK_BOX], interface=how)
    return ask_black_box(config, memory_of(layout), build["num_classes"], build["in_channels"])


def require_gradients(source: nn.Module, who: str) -> None:
    """Refuse a black box.

    Args:
        source: the source model.
        who: what needs its gradients.

    Raises:
        ConfigError: only answers of it are known.
    """
    if isinstance(source, AnsweringClassifier):
        raise ConfigError(
            f"{who}: expected a source whose weights are known, as its gradients are needed, got a black box"
        )


def is_black_box(layout: Layout) -> bool:
    """Whether the source of the zoo is one of which only answers are known."""
    path = layout.zoo / SOURCE_ID / CARD_FILE
    return path.exists() and BLACK_BOX in read_json(path).get("build", {})


def memory_of(layout: Layout) -> Path:
    """Where the answers of the owner's model are kept."""
    return layout.root / "answers.sqlite"

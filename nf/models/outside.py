"""Networks from outside: torchvision's, timm's, Hugging Face's and the owner's own, as classifiers of this project.

Such a network takes images as its ``Interface`` says; the classifier around it takes them as all others do, in [0, 1]
and in the profile's size. What it calls is code of the owner's, and never a suspect's.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional

from nf.core.config import NetworkConfig
from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import sha256_file, sha256_json
from nf.core.interface import Interface, Kind
from nf.core.sections import parse_section
from nf.models.classifier import Classifier

_LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as for suspects
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "network")
_PREFIXES = ("module.", "_orig_mod.", "model.", "net.", "network.")
_SMALLEST = 1e-7  # probability
_FILTERS = {"bilinear": "bilinear", "bicubic": "bicubic", "nearest": "nearest-exact", "box": "area"}


class OutsideClassifier(Classifier):
    """A network from outside behind the way in which it is asked.

    Attributes:
        network: the network, from images as ``interface`` says to logits.
        body: the network, as all of it but its last layer is frozen where only that is trained.
        classifier: the network's last linear layer.

    Args:
        network: network from (N, C, H, W) float32 to (N, ``num_classes``) scores of the interface's ``kind``, logits by
            default, or to an object with ``logits``; (N, 1) or (N,) where ``interface.classes`` has one of two alone.
        interface: how it is asked; what is not stated there is as for this project's models.
        num_classes: number of logits.
        mean: mean of each channel in units of the [0, 1] range, where ``interface`` has no scale of its own.
        std: standard deviation of each channel, in the same units.
    """

    def __init__(
        self,
        network: nn.Module,
        interface: Interface,
        num_classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> None:
        nn.Module.__init__(self)
        self.network = network
        self._interface = interface
        self._num_classes = num_classes
        low, high = interface.range or (0.0, 1.0)
        own = interface.mean is None and interface.std is None and interface.range is None
        if own:
            given_mean, given_std = (_as_taken(values, interface) for values in (mean, std))
        else:
            given_mean, given_std = interface.mean or (0.0,), interface.std or (1.0,)
        # In one step: (x * (high - low) + low - mean) / std.
        span = high - low
        channels = interface.channels_taken(len(mean))
        for name, values in (
            ("mean", [(value - low) / span for value in _spread(given_mean, channels)]),
            ("std", [value / span for value in _spread(given_std, channels)]),
        ):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1))
        classes = _class_order(interface, num_classes)
        self.register_buffer("order", classes, persistent=False)

    order: Tensor | None

    @property
    def body(self) -> nn.Module:  # type: ignore[override]
        """All of the network."""
        return self.network

    @property
    def classifier(self) -> nn.Linear:  # type: ignore[override]
        """The network's last linear layer.

        Raises:
            ConfigError: it has none of as many classes.
        """
        layers = [layer for layer in self.network.modules() if isinstance(layer, nn.Linear)]
        # Modules come in the order in which they were made, which may be head first.
        outputs = self._interface.outputs_for(self._num_classes)
        layers = [layer for layer in layers if layer.out_features == outputs] or layers
        if not layers or layers[-1].out_features < min(outputs, self._num_classes):
            raise ConfigError("own: expected a network that ends in a linear layer, to train that layer alone")
        return layers[-1]

    def features(self, x: Tensor) -> Tensor:
        """The logits, as what lies before them differs from network to network."""
        logits: Tensor = self(x)
        return logits

    def prepared(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1] to what the network takes."""
        how = self._interface
        if how.channels == "grey" and x.shape[1] == 3:
            x = (x * x.new_tensor(_LUMA).reshape(1, 3, 1, 1)).sum(1, keepdim=True)
        elif how.channels in ("rgb", "bgr") and x.shape[1] == 1:
            x = x.expand(-1, 3, -1, -1)
        elif how.channels == "bgr":
            x = x.flip(1)
        return (_resized(x, how) - self.mean) / self.std

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1] -> (N, ``num_classes``) logits."""
        answer = self.network(self.prepared(x))
        scores = logits_of(answer)
        if self._interface.one_of(self._num_classes) is not None:
            scores = _both(scores, self._interface.kind)
        logits = _as_logits(scores, self._interface.kind)
        return logits if self.order is None else logits[:, self.order]


def build_outside(
    *,
    open: str,
    interface: Mapping[str, Any],
    num_classes: int,
    in_channels: int,
    mean: tuple[float, ...] | list[float],
    std: tuple[float, ...] | list[float],
    weights: str | None = None,
    seed: int | None = None,
) -> OutsideClassifier:
    """A network from outside, on the CPU.

    Args:
        open: as ``NetworkConfig.open``, of one that can be trained.
        interface: fields of ``Interface``.
        num_classes: number of classes.
        in_channels: channels of the images: 1 or 3.
        mean: mean of each channel, in units of the [0, 1] range.
        std: standard deviation of each channel, in the same units.
        weights: file with its weights.
        seed: seed of its initial weights; without, they are about to be filled in.

    Raises:
        ConfigError: there is no such network, its package is not installed, or it cannot be called.
        ArtifactError: the weights cannot be read, or are another network's.
    """
    how = parse_section(Interface, interface, "interface")
    channels = how.channels_taken(in_channels)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed or 0)
        network = open_network(NetworkConfig(open, weights, how), how.outputs_for(num_classes), channels)
    return OutsideClassifier(network, how, num_classes, tuple(mean), tuple(std))


def open_network(config: NetworkConfig, num_classes: int, in_channels: int) -> nn.Module:
    """The bare network that ``config`` names, with its weights.

    Args:
        config: a network that can be trained.
        num_classes: number of its logits.
        in_channels: number of its channels.

    Raises:
        ConfigError: there is no such network, its package is not installed, or it cannot be called.
        ArtifactError: the weights cannot be read, or are another network's.
    """
    network = _made(config, num_classes, in_channels)
    if config.weights is None:
        return network
    try:
        load_checkpoint(network, Path(config.weights))
    except ArtifactError:
        single = _with_one_output(config, in_channels) if num_classes == 2 else None
        if single is None:
            raise
        return single
    return network


def _with_one_output(config: NetworkConfig, in_channels: int) -> nn.Module | None:
    """The network with one output, as two classes may have; ``None`` where the weights do not fit that either."""
    try:
        network = _made(config, 1, in_channels)
        load_checkpoint(network, Path(str(config.weights)))
    except (ArtifactError, ConfigError):
        return None
    return network


def _made(config: NetworkConfig, num_classes: int, in_channels: int) -> nn.Module:
    """The bare network that ``config`` names, with weights of its own."""
    kind, name = config.kind, config.open.partition(":")[2]
    try:
        network = _FACTORIES[kind](config.open if kind == "python" else name, num_classes, in_channels)
    except ImportError as error:
        if error.name in ("timm", "transformers"):
            raise ConfigError(f"{config.open}: expected {error.name}: `pip install '.[own]'`") from error
        raise ConfigError(f"{config.open}: cannot be imported: {error}") from error
    except (Exception, SystemExit) as error:  # code of the owner's, which may fail in any way
        raise ConfigError(
            f"{config.open}: expected a network, got {type(error).__name__}: {_one_line(error)}"
        ) from error
    if not isinstance(network, nn.Module):
        raise ConfigError(f"{config.open}: expected a torch.nn.Module, got {type(network).__name__}")
    return network


def network_digest(config: NetworkConfig) -> str:
    """SHA-256 of what ``config`` names, its weights and files, and how it is asked; of code no more than its name."""
    files: list[Path] = [Path(config.weights)] if config.weights else []
    if config.kind == "hf":
        files += sorted(path for path in Path(config.open.partition(":")[2]).glob("*") if path.is_file())
    elif config.kind in ("onnx", "exported") or (config.kind == "served" and "://" not in config.open):
        files.append(Path(config.open))
    try:
        hashes = [sha256_file(path) for path in files]
    except OSError as error:
        raise ConfigError(f"own: expected a file at {error.filename}: {error.strerror}") from error
    return sha256_json({"open": config.open, "files": hashes, "interface": config.interface.to_json()})


def load_checkpoint(network: nn.Module, path: Path, *, other_head: bool = False) -> None:
    """Fill ``network`` with the weights in ``path``: safetensors, or what torch reads with ``weights_only``.

    Args:
        network: network to fill, in place.
        path: the file.
        other_head: whether weights of another shape are left out, as those of a head for other classes are.

    Raises:
        ArtifactError: the file is missing or damaged, holds more than weights, or has another network's.
    """
    try:
        if path.suffix == ".safetensors":
            state: Any = load(path.read_bytes())
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise ArtifactError(f"expected weights at {path}: {error.strerror or error}") from error
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        raise ArtifactError(f"{path}: expected weights that can be read: {_one_line(error)}") from error
    except Exception as error:  # of pickle, whose errors have no closer base
        raise ArtifactError(
            f"{path}: expected weights and nothing else; save them with torch.save(model.state_dict(), FILE): "
            f"{_one_line(error)}"
        ) from error
    for key in _WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ArtifactError(f"{path}: expected a dict of weights by name, got {type(state).__name__}")
    wanted = set(network.state_dict())
    for prefix in _PREFIXES:
        if not wanted & set(state) and all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    if other_head:
        own = network.state_dict()
        fitting = {name: value for name, value in state.items() if name in own and own[name].shape == value.shape}
        state = {**own, **fitting} if len(fitting) > len(own) // 2 else state
    try:
        network.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise ArtifactError(f"{path}: expected the weights of this network: {_one_line(error)}") from error


def _torchvision(name: str, num_classes: int, in_channels: int) -> nn.Module:
    from torchvision import models

    _expect_three(name, in_channels)
    extra = {"init_weights": True} if name in ("googlenet", "inception_v3") else {}
    network: nn.Module = models.get_model(name, weights=None, num_classes=num_classes, **extra)
    return network


def _timm(name: str, num_classes: int, in_channels: int) -> nn.Module:
    import timm

    network: nn.Module = timm.create_model(name, pretrained=False, num_classes=num_classes, in_chans=in_channels)
    return network


def _hugging_face(folder: str, num_classes: int, in_channels: int) -> nn.Module:
    del num_classes, in_channels  # the folder says
    from transformers import AutoModelForImageClassification
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call]  # each worker opens it, and would draw one each time
    if not Path(folder).is_dir():
        raise ValueError(f"no folder {folder}; save the model there with save_pretrained()")
    network: nn.Module = AutoModelForImageClassification.from_pretrained(
        folder, local_files_only=True, trust_remote_code=False, use_safetensors=True
    )
    return network


def _python(place: str, num_classes: int, in_channels: int) -> nn.Module:
    module, _, function = place.partition(":")
    del in_channels
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    factory = getattr(importlib.import_module(module), function)
    network: nn.Module = factory(num_classes=num_classes)
    return network


_FACTORIES: dict[str, Callable[[str, int, int], nn.Module]] = {
    "torchvision": _torchvision,
    "timm": _timm,
    "hf": _hugging_face,
    "python": _python,
}


def _expect_three(name: str, in_channels: int) -> None:
    if in_channels != 3:
        raise ValueError(f"torchvision's {name} takes three channels; state channels: rgb in its interface")


def _resized(x: Tensor, how: Interface) -> Tensor:
    """Resized, and cropped in the middle, as ``how`` says; the same filters as a suspect's images, on floats."""
    size = how.size or tuple(x.shape[2:])
    crop = how.crop or 1.0
    if tuple(size) == tuple(x.shape[2:]) and crop == 1.0:
        return x
    height, width = size
    tall, wide = round(height / crop), round(width / crop)
    mode = _FILTERS.get(how.resize or "bilinear")
    if mode is None:
        raise ConfigError(f"resize: expected one of {', '.join(_FILTERS)} for the owner's model, got {how.resize}")
    smooth = mode in ("bilinear", "bicubic")
    options: dict[str, Any] = {"align_corners": False, "antialias": tall < x.shape[2]} if smooth else {}
    x = functional.interpolate(x, (tall, wide), mode=mode, **options)
    if mode == "bicubic":
        x = x.clamp(0, 1)
    top, left = (tall - height) // 2, (wide - width) // 2
    return x[:, :, top : top + height, left : left + width]


def _class_order(interface: Interface, num_classes: int) -> Tensor | None:
    """Places of the owner's classes among the network's logits; ``None`` where these are the same.

    Raises:
        ConfigError: a class of the owner's has no place.
    """
    single = interface.one_of(num_classes)
    if single is not None:
        return torch.tensor([0, 1] if single == 1 else [1, 0])
    if interface.classes is not None:
        own = {label: place for place, label in enumerate(interface.classes) if label >= 0}
        missing = sorted(set(range(num_classes)) - set(own))
        if missing:
            raise ConfigError(
                f"interface.classes: expected a place for each of the owner's {num_classes} classes, got none for "
                f"{missing[0]}"
            )
        return torch.tensor([own[label] for label in range(num_classes)])
    if interface.offset is not None:
        return torch.arange(interface.offset, interface.offset + num_classes)
    return None


def _both(scores: Tensor, kind: Kind | None) -> Tensor:
    """Scores (N, 2) of two classes where there is one alone, in the second place; see ``nf.suspects.interpret``."""
    known = scores.reshape(-1, 1)
    return torch.cat([1 - known if kind == "probabilities" else torch.zeros_like(known), known], 1)


def _as_logits(scores: Tensor, kind: Kind | None) -> Tensor:
    """What a softmax makes of them is what the network means: probabilities are no logits, distances count down."""
    if kind == "probabilities":
        return scores.clamp_min(_SMALLEST).log()
    return -scores if kind == "distances" else scores


def logits_of(answer: Any) -> Tensor:
    """The logits in what a network returns: a tensor, an object or dict with ``logits``, or a tuple that begins so.

    Returns:
        The logits; those of shape (N, C, 1, 1), as of a network that ends in a convolution, as (N, C).

    Raises:
        ConfigError: it is none of these.
    """
    if isinstance(answer, tuple | list) and answer:
        answer = answer[0]
    logits = answer.get("logits") if isinstance(answer, dict) else getattr(answer, "logits", answer)
    if not isinstance(logits, Tensor):
        raise ConfigError(f"own: expected logits, or an object with logits, got {type(answer).__name__}")
    return logits.flatten(1) if logits.ndim > 2 and logits.shape[2:].numel() == 1 else logits


def _as_taken(values: tuple[float, ...], how: Interface) -> tuple[float, ...]:
    """Numbers for each channel of the images as numbers for each channel that the network takes."""
    if how.channels == "grey" and len(values) == 3:
        return (sum(weight * value for weight, value in zip(_LUMA, values, strict=True)),)
    return values[::-1] if how.channels == "bgr" else values


def _spread(values: tuple[float, ...], channels: int) -> tuple[float, ...]:
    if len(values) not in (1, channels):
        raise ConfigError(f"mean and std: expected {channels} numbers, one for each channel, got {len(values)}")
    return values * channels if len(values) == 1 else values


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]

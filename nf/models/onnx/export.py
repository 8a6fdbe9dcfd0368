"""Classifiers as ONNX files: one trace for all models of an architecture, then only the weights change.

Tracing takes seconds, and FingerBench has ten models to an architecture. The first model of a kind is traced and
becomes a template; every further one is a copy of it with its own weights, filled in by name.
"""

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nf.core.errors import ConfigError, NFError
from nf.core.files import canonical_json, read_json, write_bytes
from nf.core.paths import CARD_FILE
from nf.core.predictor import Predictor
from nf.core.processes import worker_pool
from nf.data import to_float
from nf.models.checkpoint import load_model
from nf.models.inference import device_of

INPUT_NAME = "images"
OUTPUT_NAME = "logits"

_WORTH_A_TRACE = 60
"""Files that are written and compared while a network is traced, and fewer are not worth another trace."""

InputShape = tuple[int, int, int]
"""Channels, height and width (C, H, W) of one image."""


class _Named(nn.Module):
    """Wrapper that puts a dot into every weight's name, as the tracer calls a node's output ``mean``, like a buffer."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.model(images)
        return logits


class OnnxExporter:
    """Writes models as ONNX files and remembers one template per key.

    The files take ``images`` (N, C, H, W) float32 in [0, 1], for any N, and give ``logits`` (N, classes). Batch norm
    stays a node of its own, so that the file's weights are the model's own; onnxruntime folds it at loading.
    """

    def __init__(self) -> None:
        self._templates: dict[tuple[str, InputShape], onnx.ModelProto] = {}

    def export(self, model: nn.Module, key: str, input_shape: InputShape, path: Path) -> None:
        """Write ``model`` to ``path``, whole or not at all; equal weights give equal bytes.

        Args:
            model: model to write, on any device and in either mode; it is written in evaluation mode.
            key: name of the graph: models of one key differ in their weights only.
            input_shape: channels, height and width (C, H, W) of the images.
            path: ONNX file to write.

        Raises:
            ConfigError: the weights are not those of the model that ``key`` was first used for.
            ArtifactError: the file cannot be written.
        """
        if (key, input_shape) not in self._templates:
            self._templates[key, input_shape] = _trace(model, input_shape)
        filled = _fill(self._templates[key, input_shape], _weights(model), key)
        write_bytes(path, filled.SerializeToString(deterministic=True))


def _trace(model: nn.Module, input_shape: InputShape) -> onnx.ModelProto:
    # Example of two: the tracer takes a batch of one for a constant.
    example = torch.zeros(2, *input_shape)
    copied = copy.deepcopy(model).cpu().to(memory_format=torch.contiguous_format)
    traced = torch.onnx.export(
        _Named(copied).eval(),
        (example,),
        dynamo=True,
        optimize=False,
        verbose=False,
        external_data=False,
        input_names=[INPUT_NAME],
        output_names=[OUTPUT_NAME],
        dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1 << 20)},),
    )
    # Typed as optional for the sake of the old exporter.
    program = cast(torch.onnx.ONNXProgram, traced)
    _tidy(program)
    return _strip(program.model_proto)


def _tidy(program: torch.onnx.ONNXProgram) -> None:
    """Fold constants that the tracer left, but no weights: as inputs of the graph these are no constants."""
    graph = program.model.graph
    weights = list(graph.initializers.values())
    graph.initializers.clear()
    graph.inputs.extend(weights)
    program.optimize()
    del graph.inputs[1:]
    for weight in weights:
        graph.register_initializer(weight)


def _strip(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Remove all that does not compute: the tracer's notes, which hold paths of this machine, and inferred shapes."""
    proto.ClearField("metadata_props")
    graph = proto.graph
    for field in ("metadata_props", "doc_string", "value_info"):
        graph.ClearField(field)
    for item in (*graph.input, *graph.output, *graph.node, *graph.initializer):
        item.ClearField("metadata_props")
        item.ClearField("doc_string")
    return proto


def _weights(model: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers of ``model`` by their names in the file: tied ones by each, as the tracer keeps any."""
    kinds = (model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    return {f"model.{name}": tensor for named in kinds for name, tensor in named}


def _fill(template: onnx.ModelProto, weights: Mapping[str, Tensor], key: str) -> onnx.ModelProto:
    filled = onnx.ModelProto()
    filled.CopyFrom(template)
    slots = {slot.name: slot for slot in filled.graph.initializer if slot.name.startswith("model.")}
    kept = {id(tensor) for name, tensor in weights.items() if name in slots}
    # Of whole numbers, such as counters of batches, the tracer keeps those that the answer needs.
    lost = {name for name, tensor in weights.items() if tensor.is_floating_point() and id(tensor) not in kept}
    odd = (slots.keys() - weights.keys()) | lost
    if odd:
        raise ConfigError(
            f"{key}: expected the weights of its first model, "
            f"got {min(odd).removeprefix('model.')!r} in only one of the two"
        )
    for name, slot in slots.items():
        array = weights[name].detach().cpu().numpy()
        expected = (onnx.helper.tensor_dtype_to_np_dtype(slot.data_type), tuple(slot.dims))
        if (array.dtype, array.shape) != expected:
            raise ConfigError(
                f"{key}: expected {name.removeprefix('model.')!r} as {expected[0]} {expected[1]}, "
                f"got {array.dtype} {array.shape}"
            )
        slot.raw_data = array.tobytes()
    return filled


@dataclass(frozen=True)
class Parity:
    """How closely a suspect's file answers like the model that it was made from.

    Attributes:
        max_abs_difference: largest absolute difference between the two logits of an image and a class.
        labels_equal: whether model and file give every image the same label.
        count: number of images that were compared.
    """

    max_abs_difference: float
    labels_equal: bool
    count: int


def parity(model: nn.Module, suspect: Predictor, images: NDArray[np.uint8]) -> Parity:
    """Compare the answers of a model and of its file.

    Args:
        model: classifier in evaluation mode, on any device.
        suspect: the file, opened as a suspect that answers with logits.
        images: (N, C, H, W) uint8 that both answer, N >= 1.
    """
    device = device_of(model)
    with torch.inference_mode():
        expected = model(to_float(torch.from_numpy(images).to(device))).cpu().numpy()
    answered = suspect(images)
    return Parity(
        max_abs_difference=float(np.abs(answered - expected).max()),
        labels_equal=bool((answered.argmax(axis=1) == expected.argmax(axis=1)).all()),
        count=len(images),
    )


def export_all(
    files: Mapping[Path, Path],
    images: NDArray[np.uint8],
    open_suspect: Callable[[Path], Predictor],
    *,
    workers: int = 2,
) -> Iterator[tuple[Path, Parity]]:
    """Write many saved models and compare each file with its model, in ``workers`` single-threaded processes.

    Models that are built alike go to one process, which traces once for all of them; where these are many and more than
    an even share, to several.

    Args:
        files: ONNX file to write, by the folder of the saved model.
        images: (N, C, H, W) uint8 on which file and model are compared, of the shape that the models take.
        open_suspect: picklable function that opens an ONNX file as a suspect that answers with logits.
        workers: number of processes, at least 1.

    Yields:
        The folder of each model and its parity, as shares of models are finished.

    Raises:
        NFError: a model could not be exported, or a process died.
    """
    groups: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for folder, path in files.items():
        card = read_json(folder / CARD_FILE, advice="build the model with `nf zoo`")
        groups[canonical_json(card["build"])].append((folder, path))
    share = max(_WORTH_A_TRACE, math.ceil(len(files) / workers))
    shares = [(key, group[i : i + share]) for key, group in groups.items() for i in range(0, len(group), share)]
    shares.sort(key=lambda item: len(item[1]), reverse=True)  # the longest first, so that none is left over at the end
    pool = worker_pool(min(workers, max(1, len(shares))), torch.set_num_threads, 1)
    try:
        futures = [pool.submit(_export_group, key, group, images, open_suspect) for key, group in shares]
        for future in as_completed(futures):
            yield from future.result()
    except BrokenProcessPool as error:
        raise NFError("a worker process died while files were exported; it may be short of memory") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _export_group(
    key: str, group: list[tuple[Path, Path]], images: NDArray[np.uint8], open_suspect: Callable[[Path], Predictor]
) -> list[tuple[Path, Parity]]:
    exporter = OnnxExporter()
    channels, height, width = images.shape[1:]
    results = []
    for folder, path in group:
        model, _ = load_model(folder)
        exporter.export(model, key, (channels, height, width), path)
        results.append((folder, parity(model, open_suspect(path), images)))
    return results

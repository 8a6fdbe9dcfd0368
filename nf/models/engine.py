"""All that differs when training on a GPU: precision, optimiser, and how an update is launched.

An update of a small network is several hundred short kernels, and launching them one by one takes longer than running
them. On a GPU, an update is therefore recorded once as a CUDA graph and replayed as one launch.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from nf.core.config import TrainingConfig

_logger = logging.getLogger(__name__)

Update = Callable[..., Tensor]
"""The tensors of a batch, such as images and targets -> the loss, or several, with the weights updated."""

Recorder = Callable[[Callable[[], Tensor], Sequence[torch.Generator]], Callable[[], Tensor]]
"""(work on fixed buffers, generators that it draws from) -> function that repeats the work and returns its result."""

# Libraries choose and set up their kernels in the first calls, which must not be recorded. These updates count.
_WARM_UP = 3

_Shapes = tuple[torch.Size, ...]


@dataclass(frozen=True)
class Engine:
    """How one kind of device trains.

    Attributes:
        half: whether forward passes run in bfloat16 (autocast); weights and losses stay float32.
        fused: whether one kernel updates all weights and reads the learning rate from the device.
        record: function that turns an update into one launch; ``None`` on a device where launches cost nothing.
    """

    half: bool = False
    fused: bool = False
    record: Recorder | None = None

    def at(self, precision: str | None) -> "Engine":
        """This engine with forward passes in ``float32`` or ``bfloat16``; ``None`` keeps the device's own precision."""
        return self if precision is None else replace(self, half=precision == "bfloat16")

    def autocast(self, device: torch.device) -> torch.autocast:
        """Context in which losses are computed; autocast's cache is off, as it must not outlive a recording."""
        return torch.autocast(device.type, torch.bfloat16, enabled=self.half, cache_enabled=False)

    def sgd(self, groups: list[dict[str, Any]], config: TrainingConfig, device: torch.device) -> torch.optim.SGD:
        """SGD with the config's learning rate and momentum.

        Args:
            groups: parameter groups of ``torch.optim.SGD``, with their weight decay.
            config: schedule of the training.
            device: device of the parameters.
        """
        # A number would be recorded with the update, a tensor is read anew each time.
        rate = torch.tensor(config.learning_rate, device=device) if self.fused else config.learning_rate
        return torch.optim.SGD(
            groups,
            lr=rate,
            momentum=config.momentum,
            nesterov=config.momentum > 0,
            foreach=not self.fused,
            fused=self.fused,
        )

    def adam(
        self, parameters: Iterable[nn.Parameter], learning_rate: float, betas: tuple[float, float] = (0.9, 0.999)
    ) -> torch.optim.Adam:
        """Adam at a constant learning rate.

        Args:
            parameters: weights to update.
            learning_rate: step size of every update.
            betas: decays of the first and second moment, in [0, 1).
        """
        return torch.optim.Adam(parameters, learning_rate, betas, fused=True, capturable=self.record is not None)

    @contextmanager
    def running(self, update: Update, device: torch.device, generators: Sequence[torch.Generator]) -> Iterator[Update]:
        """Run updates in the form that suits the device.

        Args:
            update: update to run, called with tensors on ``device``.
            device: device of the training.
            generators: all generators on ``device`` that ``update`` draws from.

        Yields:
            ``update``, or its recorded form, whose next call overwrites the loss that it returned.
        """
        if self.record is None:
            yield update
        else:
            with _side_stream(device):
                yield RecordedUpdate(update, generators, self.record)


class RecordedUpdate:
    """An update that is recorded for each size of batch after a few plain calls, and replayed from then on.

    An update that cannot be recorded runs plainly, with a warning. These are updates that wait for the device
    (``.item()``, an ``if`` on a tensor) or draw from a generator that is not among ``generators``.

    Args:
        update: update to record.
        generators: all generators on the device that ``update`` draws from.
        record: see ``Recorder``.
    """

    def __init__(self, update: Update, generators: Sequence[torch.Generator], record: Recorder) -> None:
        self._update, self._generators, self._record = update, generators, record
        self._calls: Counter[_Shapes] = Counter()
        self._recorded: dict[_Shapes, Update] = {}

    def __call__(self, *batch: Tensor) -> Tensor:
        """Update with one batch and return the loss, which the next call overwrites."""
        shapes = tuple(tensor.shape for tensor in batch)
        if self._calls[shapes] < _WARM_UP:
            self._calls[shapes] += 1
            return self._update(*batch)
        if shapes not in self._recorded:
            self._recorded[shapes] = self._start_recording(*batch)
        return self._recorded[shapes](*batch)

    def _start_recording(self, *batch: Tensor) -> Update:
        buffers = [tensor.clone() for tensor in batch]
        try:
            replay = self._record(lambda: self._update(*buffers), self._generators)
        except RuntimeError as error:
            _logger.warning("this update cannot be recorded and is launched kernel by kernel: %s", error)
            return self._update

        def graphed(*batch: Tensor) -> Tensor:
            for buffer, tensor in zip(buffers, batch, strict=True):
                buffer.copy_(tensor)
            return replay()

        return graphed


def record_cuda_graph(work: Callable[[], Tensor], generators: Sequence[torch.Generator]) -> Callable[[], Tensor]:
    """Record ``work`` as a CUDA graph; see ``Recorder``.

    Nothing is computed while recording, and each replay draws random numbers anew.
    """
    graph = torch.cuda.CUDAGraph()
    for generator in generators:
        graph.register_generator_state(generator)
    with torch.cuda.graph(graph, stream=torch.cuda.current_stream()):
        result = work()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay


@contextmanager
def _side_stream(device: torch.device) -> Iterator[None]:
    """Train on another stream: the default one cannot be recorded, and backward passes stay where they first ran."""
    if device.type != "cuda":
        yield
        return
    side = _training_stream()
    side.wait_stream(torch.cuda.current_stream())
    try:
        with torch.cuda.stream(side):
            yield
    finally:
        torch.cuda.current_stream().wait_stream(side)


@cache
def _training_stream() -> torch.cuda.Stream:
    """One stream for the whole process: the memory allocator keeps free memory separately for each stream."""
    return torch.cuda.Stream()


ENGINES: dict[str, Engine] = {
    "cpu": Engine(),
    "cuda": Engine(half=True, fused=True, record=record_cuda_graph),
}
"""Engine by ``torch.device.type``."""

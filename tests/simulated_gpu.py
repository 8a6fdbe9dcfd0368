"""A GPU in software, so that the tests that need one can run where there is none.

``PYTHONPATH=tests pytest -p simulated_gpu -m gpu`` runs them on it; ``python tests/simulated_gpu.py SCRIPT …`` runs a
script, and with ``-m MODULE`` a module. Its tensors say that they lie on ``cuda:0`` and compute on the
CPU. It refuses what CUDA refuses:

- work on tensors of both devices, numbers and indices apart; a generator of the other device; ``numpy`` of its tensors;
- in a recording: waiting for the device, copies from or to the host, generators that are not registered;
- a replay that reads memory which nobody holds any more: CUDA would read whatever lies there by then.

It also refuses what CUDA does without a word, and wrongly: a kernel that reads or changes what a kernel of another
stream has made or still reads, unless its stream has waited for that one.

A recording computes nothing, and a replay repeats its kernels on the same memory without a line of the Python that they
came from. What is not simulated: speed, the size of the memory, its new uses, and bfloat16, as autocast does nothing
here.
"""

import runpy
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest import mock

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from torch.utils._pytree import tree_leaves, tree_map

# What PyTorch's own code takes these tensors for: a device that needs no driver.
_DISGUISE, _DEVICE = torch.device("meta"), torch.device("cuda:0")

_PROPERTIES = SimpleNamespace(name="a simulated GPU", total_memory=0, major=9, minor=0)

_COPIES = {"aten::copy_", "aten::_to_copy"}
_INDEXING = {"aten::index", "aten::index_put", "aten::index_put_", "aten::_index_put_impl_"}
_WAITS = {"aten::_local_scalar_dense", "aten::nonzero", "aten::equal", "aten::masked_select", "aten::_unique2"}
_DRAWS = {"rand", "randn", "randint", "randperm", "bernoulli", "bernoulli_", "uniform_", "normal_", "native_dropout"}

_tensor_to = torch.Tensor.to


class SimulatedTensor(torch.Tensor):
    """A tensor of the simulated GPU around the CPU's tensor that holds its numbers."""

    __torch_function__ = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> "SimulatedTensor":
        layout = {"strides": held.stride(), "storage_offset": held.storage_offset(), "dtype": held.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, held.size(), **layout, device=_DISGUISE)
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})

    device = property(lambda self: _DEVICE)
    is_cuda = property(lambda self: True)
    is_meta = property(lambda self: False)

    def __repr__(self, **_):
        return f"SimulatedTensor({self.held!r})"

    def numpy(self, **_):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")

    __array__ = numpy

    def tolist(self):
        return self.cpu().tolist()

    def data_ptr(self):
        return self.held.data_ptr()

    def __deepcopy__(self, memo):
        copied = SimulatedTensor(self.held.clone()).requires_grad_(self.requires_grad)
        if isinstance(self, torch.nn.Parameter):
            copied = torch.nn.Parameter(copied, self.requires_grad)
        return memo.setdefault(id(self), copied)


class SimulatedGenerator(torch.Generator):
    """A generator of either device; those of the GPU draw the CPU's numbers."""

    _of_device: ClassVar[dict[int, "SimulatedGenerator"]] = {}

    def __new__(cls, device="cpu"):
        made = super().__new__(cls)
        if _on_gpu(device):
            cls._of_device[made._cdata] = made  # its address must stay its own
        return made

    def __init__(self, device="cpu"):
        self._device = _DEVICE if _on_gpu(device) else torch.device(device)

    @property
    def device(self):
        return self._device

    def manual_seed(self, seed):
        super().manual_seed(seed)
        return self


class SimulatedStream:
    """Kernels in order. Those of two streams have none, until one stream waits for the other."""

    _threads = threading.local()
    _uses: ClassVar[dict[int, "_Uses"]] = {}
    # By stream, how many of its kernels the host knows to be over: it waited for them.
    _host: ClassVar[Counter["SimulatedStream"]] = Counter()

    def __init__(self) -> None:
        # By stream, how many of its kernels are over when the next one of this stream begins.
        self._over: Counter[SimulatedStream] = Counter()

    @classmethod
    def current(cls, *_: Any) -> "SimulatedStream":
        return getattr(cls._threads, "stream", _DEFAULT_STREAM)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Where this is the current stream of the thread."""
        before = self.current()
        self._threads.stream = self
        try:
            yield
        finally:
            self._threads.stream = before

    def wait_stream(self, other: "SimulatedStream") -> None:
        self._over |= other._over

    def wait_on_host(self) -> None:
        """Whatever is launched from now on, on any stream, begins after what this stream has launched."""
        SimulatedStream._host |= self._over

    def is_capturing(self) -> bool:
        return SimulatedGraph.recording is not None

    def launch(self, *, reads: Iterable[int] = (), changes: Iterable[int] = (), makes: Iterable[int] = ()) -> None:
        """A kernel that reads, changes and makes pieces of memory."""
        self._over |= SimulatedStream._host
        self._over[self] += 1
        for memory in makes:
            self._uses[memory] = _Uses(Counter({self: self._over[self]}))
        for memory in reads:
            uses = self._uses.setdefault(memory, _Uses())
            self._check(uses.written)
            uses.read[self] = self._over[self]
        for memory in changes:
            uses = self._uses.setdefault(memory, _Uses())
            self._check(uses.written | uses.read)
            self._uses[memory] = _Uses(Counter({self: self._over[self]}))

    def _check(self, others: Counter["SimulatedStream"]) -> None:
        if not others <= self._over:
            raise RuntimeError("a race: a kernel of another stream may not be over yet, and none has waited for it")


@dataclass
class _Uses:
    """By stream, the last kernels that wrote and read a piece of memory."""

    written: Counter[SimulatedStream] = field(default_factory=Counter)
    read: Counter[SimulatedStream] = field(default_factory=Counter)


_DEFAULT_STREAM = SimulatedStream()


class SimulatedGraph:
    """What stands for ``torch.cuda.CUDAGraph``."""

    recording: "SimulatedGraph | None" = None

    def __init__(self) -> None:
        self.generators: list[torch.Generator] = []
        self.kernels: list[tuple[Callable[..., Any], tuple, dict, Any]] = []
        self._borrowed: list[tuple[Tensor, int]] = []
        self._overwritten: list[tuple[Tensor, Tensor]] = []

    def register_generator_state(self, generator: torch.Generator) -> None:
        self.generators.append(generator)

    @contextmanager
    def captured(self) -> Iterator[None]:
        """Note each kernel, and put back what it changed."""
        if SimulatedGraph.recording is not None:
            raise RuntimeError("a recording within a recording")
        states = [(each, each.get_state()) for each in (torch.default_generator, *self.generators)]
        SimulatedGraph.recording = self
        try:
            yield
        finally:
            SimulatedGraph.recording = None
            for tensor, value in reversed(self._overwritten):
                tensor.copy_(value)
            self._overwritten.clear()
            for generator, state in states:
                generator.set_state(state)
            self._borrowed = self._memory_of_others()

    def run(self, operator, *args, **kwargs):
        """Run and note a kernel."""
        self._overwritten += [(tensor, tensor.clone()) for tensor in _written(operator, args, kwargs)]
        results = operator(*args, **kwargs)
        if not _is_view(operator):
            self.kernels.append((operator, *tree_map(_another_name, (args, kwargs, results))))
        return results

    def _memory_of_others(self) -> list[tuple[Tensor, int]]:
        """A tensor in each piece of memory that the recording uses and has not made, and how many it has of it."""
        used, made = Counter[int](), set[int]()
        tensors: dict[int, Tensor] = {}
        for _, args, kwargs, results in self.kernels:
            read = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
            written = [leaf for leaf in tree_leaves(results) if isinstance(leaf, Tensor)]
            tensors |= {_memory(tensor): tensor for tensor in read}
            made |= {_memory(tensor) for tensor in written} - tensors.keys()
            used.update(map(_memory, read + written))
        return [(tensor, used[memory]) for memory, tensor in tensors.items() if memory not in made]

    def replay(self) -> None:
        if any(torch._C._storage_Use_Count(_memory(tensor)) - 1 <= own for tensor, own in self._borrowed):
            raise RuntimeError("an illegal memory access: a recording is replayed without the tensors that it reads")
        own = [leaf for _, _, _, results in self.kernels for leaf in tree_leaves(results) if isinstance(leaf, Tensor)]
        SimulatedStream.current().launch(
            reads=[_memory(tensor) for tensor, _ in self._borrowed], changes={_memory(tensor) for tensor in own}
        )
        with _disable_current_modes(), torch.no_grad():
            for operator, args, kwargs, results in self.kernels:
                again = operator(*args, **kwargs)
                for result, value in zip(tree_leaves(results), tree_leaves(again), strict=True):
                    if isinstance(result, Tensor) and result.data_ptr() != value.data_ptr():
                        result.copy_(value)


class _Dispatch(TorchDispatchMode):
    """Sees what no simulated tensor takes part in, such as making the first one."""

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})


def _on_gpu(device: Any) -> bool:
    return isinstance(device, str | torch.device) and torch.device(device).type in (_DEVICE.type, _DISGUISE.type)


def _run(operator, args, kwargs):
    """Check one operator, run it on the CPU, and put its results where they belong."""
    name = operator._schema.name
    leaves = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
    theirs = [value for value in leaves if isinstance(value, SimulatedTensor)]
    hosts = [value for value in leaves if not isinstance(value, SimulatedTensor)]
    wanted = kwargs.get("device")
    to_gpu = _on_gpu(wanted) if wanted is not None else bool(theirs)
    _check_places(name, args, theirs, hosts)
    if name.removeprefix("aten::") in _DRAWS:
        _check_generator(kwargs.get("generator"), on_gpu=to_gpu)
    graph = SimulatedGraph.recording if theirs or to_gpu else None
    if graph is not None:
        _check_recordable(name, args, hosts, graph, kwargs.get("generator"), leaves_gpu=not to_gpu)

    held_args, held_kwargs = tree_map(_held if graph is None else _held_for_good, (args, kwargs))
    if to_gpu and wanted is not None:
        held_kwargs["device"] = torch.device("cpu")
    run = operator if graph is None else partial(graph.run, operator)
    results = run(*held_args, **held_kwargs)
    if graph is None and (theirs or to_gpu):
        _launch(operator, args, kwargs, theirs, results, leaves_gpu=not to_gpu)
    return _placed(operator, args, kwargs, results) if to_gpu else results


def _launch(operator, args, kwargs, theirs, results, *, leaves_gpu: bool) -> None:
    """Put a kernel on the current stream."""
    stream = SimulatedStream.current()
    used = {_memory(each.held) for each in theirs}
    changed = {_memory(each.held) for each in _written(operator, args, kwargs) if isinstance(each, SimulatedTensor)}
    made = {_memory(each) for each in tree_leaves(results) if isinstance(each, Tensor)} - used
    if not _is_view(operator):
        stream.launch(reads=used - changed, changes=changed, makes=() if leaves_gpu else made)
    if leaves_gpu:
        stream.wait_on_host()


def _held(value):
    return value.held if isinstance(value, SimulatedTensor) else value


def _held_for_good(value):
    """As a recording keeps it: a number from the host stays what it is now."""
    return value.clone() if isinstance(value, Tensor) and not isinstance(value, SimulatedTensor) else _held(value)


def _check_places(name, args, theirs, hosts) -> None:
    if not theirs or name in _COPIES:
        return
    if name in _INDEXING:  # whose indices may come from the host
        hosts = [value for value in (args[0], *args[2:3]) if not isinstance(value, SimulatedTensor)]
    if any(value.ndim > 0 for value in hosts):
        raise RuntimeError(f"{name}: expected all tensors to be on the same device, but found cuda:0 and cpu")


def _check_generator(generator, *, on_gpu: bool) -> None:
    if generator is not None and (generator._cdata in SimulatedGenerator._of_device) != on_gpu:
        raise RuntimeError(f"expected a generator of the {'GPU' if on_gpu else 'CPU'}, got one of the other device")


def _check_recordable(name, args, hosts, graph, generator, *, leaves_gpu: bool) -> None:
    by_mask = name in _INDEXING and any(
        isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in args[1]
    )
    if name in _WAITS or by_mask:
        raise RuntimeError(f"{name} waits for the device, which a recording does not allow")
    if leaves_gpu or (hosts and (name in _COPIES or any(value.ndim > 0 for value in hosts))):
        raise RuntimeError(f"{name} copies between host and device, which a recording does not allow")
    if generator is not None and generator._cdata not in {known._cdata for known in graph.generators}:
        raise RuntimeError(f"{name} draws from a generator that is not registered with the recording")


def _written(operator, args, kwargs) -> list[Tensor]:
    written = []
    for place, argument in enumerate(operator._schema.arguments):
        value = args[place] if place < len(args) else kwargs.get(argument.name)
        # This operator changes the running statistics without saying so.
        unsaid = operator._schema.name == "aten::native_batch_norm" and argument.name.startswith("running_")
        if unsaid or (argument.alias_info is not None and argument.alias_info.is_write):
            written += [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
    return written


def _another_name(value):
    return value.detach() if isinstance(value, Tensor) else value


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata


def _is_view(operator) -> bool:
    return any(each.alias_info is not None and not each.alias_info.is_write for each in operator._schema.returns)


def _placed(operator, args, kwargs, results):
    """``results`` as tensors of the GPU; what was changed in place is the very tensor that came in."""
    if isinstance(results, Tensor):
        alias = operator._schema.returns[0].alias_info
        if alias is not None and alias.is_write:
            for place, argument in enumerate(operator._schema.arguments):
                if argument.alias_info is not None and argument.alias_info.is_write:
                    return args[place] if place < len(args) else kwargs[argument.name]
    return tree_map(lambda value: SimulatedTensor(value) if isinstance(value, Tensor) else value, results)


def _to(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """``Tensor.to`` that knows the simulated device, and leaves alone what is there."""
    if not isinstance(self, SimulatedTensor):
        args, kwargs = tree_map(lambda value: _DISGUISE if _on_gpu(value) else value, (args, kwargs))
        return _tensor_to(self, *args, **kwargs)
    if args and _on_gpu(args[0]):
        kwargs.update(zip(("dtype", "non_blocking"), args[1:], strict=False))
        args = ()
    kwargs = {key: value for key, value in kwargs.items() if value is not None and not _on_gpu(value)}
    return _tensor_to(self, *args, **kwargs) if args or kwargs.keys() - {"non_blocking"} else self


def _made_from_data(original: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def make(data, *, dtype=None, device=None, requires_grad=False):
        made = original(data, dtype=dtype)
        return (made if device is None else made.to(device)).requires_grad_(requires_grad)

    return make


def _graphed(function: Callable[..., Tensor], examples: Sequence[Tensor]) -> Callable[..., Tensor]:
    """What stands for ``torch.cuda.make_graphed_callables`` of a function with one result."""
    wanted = [example for example in examples if example.requires_grad]
    forward, backward = SimulatedGraph(), SimulatedGraph()
    with torch.enable_grad():
        with forward.captured():
            answer = function(*examples)
        incoming = torch.empty_like(answer)
        if wanted:
            with backward.captured():
                gradients = torch.autograd.grad(answer, wanted, incoming)

    class Replayed(torch.autograd.Function):
        @staticmethod
        def forward(_, *inputs):
            for example, value in zip(examples, inputs, strict=True):
                example.detach().copy_(value)
            forward.replay()
            return answer.detach()

        @staticmethod
        def backward(_, gradient):
            incoming.copy_(gradient)
            backward.replay()
            found = iter(gradients)
            return tuple(next(found).detach() if example.requires_grad else None for example in examples)

    return Replayed.apply


def _in_every_thread(run: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def run_simulated(self: threading.Thread) -> None:
        with _Dispatch():
            run(self)

    return run_simulated


@contextmanager
def simulated_gpu() -> Iterator[None]:
    """Within it, PyTorch finds a GPU."""
    replaced = {
        torch: {
            "Generator": SimulatedGenerator,
            "tensor": _made_from_data(torch.tensor),
            "as_tensor": _made_from_data(torch.as_tensor),
        },
        torch.Tensor: {"to": _to, "cuda": lambda self: self.to(_DEVICE)},
        torch.nn.Module: {"cuda": lambda self: self.to(_DEVICE)},
        torch.accelerator: {"current_stream": SimulatedStream.current},
        torch.cuda: {
            "_lazy_init": lambda: None,
            "is_available": lambda: True,
            "is_bf16_supported": lambda: True,
            "device_count": lambda: 1,
            "get_device_properties": lambda *_: _PROPERTIES,
            "Stream": SimulatedStream,
            "current_stream": SimulatedStream.current,
            "stream": SimulatedStream.entered,
            "is_current_stream_capturing": lambda: SimulatedGraph.recording is not None,
            "get_rng_state": lambda *_: torch.get_rng_state(),
            "set_rng_state": lambda *_: None,
            "CUDAGraph": SimulatedGraph,
            "graph": lambda graph, **_: graph.captured(),
            "make_graphed_callables": _graphed,
        },
        threading.Thread: {"run": _in_every_thread(threading.Thread.run)},
    }
    # Modules take new parameters when they move: the old ones cannot change their device.
    before = torch.__future__.get_overwrite_module_params_on_conversion()
    torch.__future__.set_overwrite_module_params_on_conversion(True)
    patches = [mock.patch.object(owner, name, new) for owner, names in replaced.items() for name, new in names.items()]
    try:
        for patch in patches:
            patch.start()
        with _Dispatch():
            yield
    finally:
        for patch in patches:
            patch.stop()
        torch.__future__.set_overwrite_module_params_on_conversion(before)


def pytest_configure(config) -> None:
    """As a plugin: for the whole session."""
    simulation = simulated_gpu()
    simulation.__enter__()
    config.add_cleanup(lambda: simulation.__exit__(None, None, None))


if __name__ in ("__main__", "__mp_main__"):  # the latter in processes that the script starts
    simulation = simulated_gpu()  # which would end with the last reference to it
    simulation.__enter__()
if __name__ == "__main__":
    sys.argv = sys.argv[1:]
    if sys.argv[0] == "-m":
        sys.argv = sys.argv[1:]
        sys.path.insert(0, str(Path.cwd()))
        runpy.run_module(sys.argv[0], run_name="__main__")
    else:
        sys.path.insert(0, str(Path(sys.argv[0]).parent))
        exec(Path(sys.argv[0]).read_text(), {"__name__": "__main__", "__file__": sys.argv[0], "__doc__": ""})

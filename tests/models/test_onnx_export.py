from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from nf.core.errors import ArtifactError, ConfigError
from nf.models import ARCHITECTURES, Classifier, build_classifier, build_outside
from nf.models.onnx.export import OnnxExporter, export_all, parity
from nf.suspects import OnnxSuspect

SHAPE = (1, 16, 16)


class Body(nn.Module):
    """Every kind of node that the architectures use, in one small network."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.depthwise = nn.Conv2d(8, 8, 3, stride=2, padding=1, groups=8)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.squeeze, self.excite = nn.Conv2d(8, 2, 1), nn.Conv2d(2, 8, 1)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.convolution(x)).relu_()
        x = self.depthwise(x)
        x = x * torch.sigmoid(self.excite(self.squeeze(self.pool(x)).relu()))
        batch, channels, height, width = x.shape
        x = x.view(batch, 2, channels // 2, height, width).transpose(1, 2).flatten(1, 2)
        left, right = x.chunk(2, dim=1)
        x = torch.cat([left, nn.functional.max_pool2d(right, 3, 1, 1), x], dim=1)
        pooled: Tensor = self.dropout(x.mean((2, 3)))
        return pooled


def small_classifier(seed: int) -> Classifier:
    """With batch-norm statistics that differ from the initial ones, as after training."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = Classifier(Body(), 16, 10, [0.4], [0.3])
        model.train()(torch.rand(16, *SHAPE))
        nn.init.uniform_(model.body.norm.weight, 0.5, 1.5)  # type: ignore[union-attr, arg-type]
    return model.eval()


@pytest.fixture
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (300, *SHAPE), dtype=np.uint8)


@pytest.fixture(scope="module")
def exporter() -> OnnxExporter:
    """Shared, so that the small classifier is traced once."""
    return OnnxExporter()


@pytest.fixture
def write(exporter: OnnxExporter, tmp_path: Path) -> Callable[[nn.Module], Path]:
    def write_model(model: nn.Module) -> Path:
        path = tmp_path / "model.onnx"
        exporter.export(model, "small", SHAPE, path)
        return path

    return write_model


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("count", [1, 2, 300])
def test_the_file_answers_like_the_model(
    write: Callable[[nn.Module], Path], images: NDArray[np.uint8], seed: int, count: int
) -> None:
    model = small_classifier(seed)
    suspect = OnnxSuspect(write(model), batch_size=count)
    assert suspect.input_shape == SHAPE
    assert suspect.num_classes == 10
    result = parity(model, suspect, images[:count])
    assert result.max_abs_difference < 1e-5
    assert result.labels_equal
    assert result.count == count


def test_the_files_weights_are_those_of_the_model(write: Callable[[nn.Module], Path]) -> None:
    model = small_classifier(3)
    graph = onnx.load(write(model)).graph
    found = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            np.testing.assert_array_equal(found[f"model.{name}"], tensor.numpy())
    assert [value.name for value in (*graph.input, *graph.output)] == ["images", "logits"]
    assert {"BatchNormalization", "Split"} <= {node.op_type for node in graph.node}


def test_equal_weights_give_equal_bytes_traced_or_filled_in(write: Callable[[nn.Module], Path], tmp_path: Path) -> None:
    write(small_classifier(0))
    filled = write(small_classifier(4)).read_bytes()
    # In training mode and with other strides: neither may show in the file, and the model is left as it was.
    model = small_classifier(4).train().to(memory_format=torch.channels_last)
    generator = torch.get_rng_state()
    OnnxExporter().export(model, "small", SHAPE, tmp_path / "traced.onnx")
    assert (tmp_path / "traced.onnx").read_bytes() == filled
    assert str(Path(__file__).parent).encode() not in filled
    assert model.training
    assert torch.equal(torch.get_rng_state(), generator)
    expected = small_classifier(4).state_dict()
    assert all(torch.equal(expected[name], tensor) for name, tensor in model.state_dict().items())


def test_a_further_model_of_a_key_is_not_traced(write: Callable[[nn.Module], Path], images: NDArray[np.uint8]) -> None:
    write(small_classifier(0))
    untraceable = small_classifier(5)
    untraceable.body = nn.ModuleDict(dict(untraceable.body.named_children()))
    with pytest.raises(NotImplementedError):
        untraceable(torch.zeros(1, *SHAPE))
    assert parity(small_classifier(5), OnnxSuspect(write(untraceable)), images).max_abs_difference < 1e-5


def test_parity_sees_another_model(write: Callable[[nn.Module], Path], images: NDArray[np.uint8]) -> None:
    result = parity(small_classifier(0), OnnxSuspect(write(small_classifier(1))), images)
    assert result.max_abs_difference > 0.01
    assert not result.labels_equal


def test_models_that_do_not_fit_their_key_are_refused(write: Callable[[nn.Module], Path]) -> None:
    write(small_classifier(0))
    wider = small_classifier(0)
    wider.classifier = nn.Linear(16, 11)
    with pytest.raises(
        ConfigError, match=r"small: expected 'classifier.weight' as float32 \(10, 16\), got .* \(11, 16\)"
    ):
        write(wider)
    with pytest.raises(ConfigError, match=r"small: expected 'body.convolution.weight' as float32 .* got float64"):
        write(small_classifier(0).double())
    longer = small_classifier(0)
    longer.head = nn.Linear(10, 10)
    with pytest.raises(
        ConfigError, match=r"small: expected the weights of its first model, got 'head.bias' in only one"
    ):
        write(longer)


class Indexed(nn.Module):
    """A network with whole numbers among its buffers, of which the answer needs some, and with tied weights."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.first = nn.Linear(256, 256)
        self.tied = nn.Linear(256, 256)
        self.tied.weight = self.first.weight
        self.register_buffer("index", torch.randperm(256, generator=generator))
        self.register_buffer("counter", torch.tensor(seed))
        for weight in self.parameters():
            nn.init.uniform_(weight, -0.1, 0.1, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        features: Tensor = self.tied(self.first(x.flatten(1))[:, self.index])
        return features[:, :4]


def test_buffers_of_whole_numbers_and_tied_weights_are_each_model_s_own(
    tmp_path: Path, images: NDArray[np.uint8]
) -> None:
    exporter = OnnxExporter()
    for seed in (0, 1):  # one is traced, the other filled in
        model = Indexed(seed).eval()
        exporter.export(model, "indexed", SHAPE, tmp_path / "model.onnx")
        result = parity(model, OnnxSuspect(tmp_path / "model.onnx"), images)
        assert result.max_abs_difference < 1e-5
        assert result.labels_equal


def linear(num_classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(256, num_classes))


def test_a_network_whose_classes_stand_in_another_order_is_exported(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    exporter = OnnxExporter()
    for seed in (0, 1):
        model = build_outside(
            open=f"{__name__}:linear",
            interface={"classes": [2, -1, 0, 1]},
            num_classes=3,
            in_channels=1,
            mean=[0.5],
            std=[0.5],
            seed=seed,
        ).eval()
        exporter.export(model, "other order", SHAPE, tmp_path / "model.onnx")
        assert parity(model, OnnxSuspect(tmp_path / "model.onnx"), images).max_abs_difference < 1e-5


def test_a_weight_that_the_answer_does_not_need_is_refused(tmp_path: Path) -> None:
    # The tracer drops it, and a file could no longer be checked weight by weight.
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 2))
    model.register_parameter("idle", nn.Parameter(torch.zeros(1)))
    with pytest.raises(ConfigError, match="expected the weights of its first model, got 'idle' in only one"):
        OnnxExporter().export(model, "idle", SHAPE, tmp_path / "model.onnx")


def test_a_model_that_was_not_built_is_missed_before_any_work(tmp_path: Path, images: NDArray[np.uint8]) -> None:
    with pytest.raises(ArtifactError, match=r"expected a JSON file at .*/gone/card.json, found nothing"):
        list(export_all({tmp_path / "gone": tmp_path / "gone.onnx"}, images, OnnxSuspect))


@pytest.mark.slow
@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_answers_alike_as_a_file(
    architecture: str, tmp_path: Path, images: NDArray[np.uint8]
) -> None:
    exporter = OnnxExporter()
    for seed in (0, 1):
        model = build_classifier(
            architecture, width=0.125, in_channels=1, num_classes=10, mean=[0.3], std=[0.4], seed=seed
        ).eval()
        exporter.export(model, architecture, SHAPE, tmp_path / "model.onnx")
        suspect = OnnxSuspect(tmp_path / "model.onnx")
        for count in (1, 20):
            result = parity(model, suspect, images[:count])
            assert result.max_abs_difference < 1e-3
            assert result.labels_equal

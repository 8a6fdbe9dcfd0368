import pytest
import torch
from torch import Tensor, nn
from torch.fx.experimental.optimization import fuse
from torch.nn import functional

from nf.core.architectures import DISPLAY_NAMES
from nf.core.errors import ConfigError, UnknownNameError
from nf.models.architectures.blocks import Inception, SqueezeExcite, conv_bn_relu, initialise, scaled
from nf.models.architectures.residual import basic_block
from nf.models.architectures.shufflenet_v2 import shuffle
from nf.models.classifier import Classifier
from nf.models.registry import ARCHITECTURES, FULL_SIZE, build_classifier

WIDTH = 0.125


def build(architecture: str, *, width: float = WIDTH, seed: int = 0) -> Classifier:
    return build_classifier(architecture, width=width, in_channels=1, num_classes=10, mean=[0.3], std=[0.35], seed=seed)


def awake(architecture: str) -> Classifier:
    """With batch norms as after training: residual branches that count, statistics that differ from 0 and 1."""
    model = build(architecture)
    generator = torch.Generator().manual_seed(0)
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        nn.init.uniform_(norm.weight, 0.5, 1.5, generator=generator)
        nn.init.normal_(norm.bias, 0.0, 0.1, generator=generator)
        norm.momentum = 1.0
    model.train()(images(16))
    return model.eval()


def images(count: int, *, size: int = 16, seed: int = 0) -> Tensor:
    return torch.rand(count, 1, size, size, generator=torch.Generator().manual_seed(seed))


def parameters(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def full_size(architecture: str, classes: int) -> int:
    """Parameters at width 1 on three channels, without allocating them."""
    with torch.device("meta"):
        body, features = ARCHITECTURES[architecture](width=1.0, in_channels=3)
        return parameters(body) + parameters(nn.Linear(features, classes))


def torchvisions(name: str, **arguments: object) -> nn.Module:
    import torchvision  # here, as it takes seconds, in every process that shares the files

    with torch.device("meta"):
        return getattr(torchvision.models, name)(weights=None, **arguments)


# A 3x3 instead of a 7x7 convolution from 3 to 64 channels.
SMALL_STEM = 64 * 3 * (3 * 3 - 7 * 7)
WITHOUT_INITIALISATION = {"aux_logits": False, "init_weights": False}


@pytest.mark.parametrize(
    ("architecture", "theirs", "arguments", "difference"),
    [
        ("densenet121", "densenet121", {}, SMALL_STEM),
        ("efficientnet", "efficientnet_b0", {}, 0),
        ("googlenet", "googlenet", WITHOUT_INITIALISATION, SMALL_STEM),
        ("inception_v3", "inception_v3", WITHOUT_INITIALISATION, 0),
        ("mobilenet_v2", "mobilenet_v2", {}, 0),
        ("resnet18", "resnet18", {}, SMALL_STEM),
        ("resnet34", "resnet34", {}, SMALL_STEM),
        ("resnet50", "resnet50", {}, SMALL_STEM),
        ("shufflenet_v2", "shufflenet_v2_x1_0", {}, 0),
        # Scale and shift instead of a bias for each of the 64 + 320 + 2560 channels.
        ("squeezenet", "squeezenet1_1", {}, 64 + 320 + 2560),
    ],
)
def test_parameters_are_torchvisions(architecture, theirs, arguments, difference):
    assert full_size(architecture, 10) == parameters(torchvisions(theirs, num_classes=10, **arguments)) + difference


@pytest.mark.parametrize(("architecture", "channels"), [("vgg13_bn", 2944), ("vgg16_bn", 4224), ("vgg19_bn", 5504)])
def test_vgg_has_torchvisions_convolutions_without_biases_and_one_linear_layer(architecture, channels):
    features = parameters(torchvisions(architecture).features)
    assert full_size(architecture, 10) == features - channels + 512 * 10 + 10


def test_xception_has_the_published_number_of_parameters():
    # Keras lists 22,855,952 trainable ones.
    assert full_size("xception", 1000) == 22_855_952


def test_se_resnet18_adds_what_the_paper_says():
    # Hu et al. 2018, equation 5: 2 / r * sum of blocks * channels squared; here with the gates' biases.
    stages = (64, 128, 256, 512)
    weights = sum(2 * 2 * channels**2 // 16 for channels in stages)
    biases = sum(2 * (channels + channels // 16) for channels in stages)
    assert full_size("se_resnet18", 10) - full_size("resnet18", 10) == weights + biases


def test_every_architecture_has_a_display_name():
    assert list(DISPLAY_NAMES) == list(ARCHITECTURES)
    assert len(ARCHITECTURES) == 15


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("size", [16, 32])
def test_logits_of_one_image(architecture, size):
    model = build(architecture).eval()
    with torch.no_grad():
        logits = model(images(1, size=size))
        features = model.features(images(1, size=size))
    assert logits.shape == (1, 10)
    assert features.shape == (1, model.classifier.in_features)
    assert logits.isfinite().all()
    torch.testing.assert_close(model.classifier(features), logits)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_parameter_learns(architecture):
    model = awake(architecture).train()
    logits = model(images(2, seed=1))
    functional.cross_entropy(logits, torch.tensor([0, 1])).backward()
    still = [
        name
        for name, parameter in model.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]
    assert still == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_batch_norm_folds_into_the_convolutions(architecture):
    model, batch = awake(architecture), images(8, seed=2)
    folded = fuse(model)
    left = [m for m in folded.modules() if isinstance(m, nn.BatchNorm2d)]
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    # Only DenseNet has norms in front of convolutions: one a layer, one a transition and the last.
    assert len(left) == (58 + 3 + 1 if architecture == "densenet121" else 0)
    assert len(norms) > len(left)
    with torch.no_grad():
        torch.testing.assert_close(folded(batch), model(batch), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_memory_format_changes_the_layout_and_not_the_answer(architecture):
    model, batch = awake(architecture), images(4, seed=3)
    with torch.no_grad():
        expected = model(batch)
        fast = model.to(memory_format=torch.channels_last)(batch.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(fast, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("architecture", ["resnet18", "shufflenet_v2", "inception_v3"])
def test_layers_stay_channels_last(architecture):
    model = build(architecture).to(memory_format=torch.channels_last)
    strayed = []

    def look(module, inputs, output):
        if output.ndim == 4 and output.stride(1) != 1:
            strayed.append(type(module).__name__)

    for module in model.modules():
        module.register_forward_hook(look)
    model(images(4).contiguous(memory_format=torch.channels_last))
    assert strayed == []


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_the_last_maps_of_a_small_image_are_not_empty_and_not_large(architecture):
    visited = {}
    model = build(architecture).eval()
    model.body[-1].register_forward_pre_hook(lambda _, inputs: visited.update(maps=inputs[0].shape[2:]))
    for size, least, most in ((16, 1, 2), (32, 2, 4)):
        model(images(1, size=size))
        assert least <= min(visited["maps"])
        assert max(visited["maps"]) <= most


@pytest.mark.parametrize("architecture", FULL_SIZE)
def test_a_stem_at_full_size_doubles_all_maps_and_adds_no_parameter(architecture):
    visited = {}
    halved, full = (
        build_classifier(
            architecture, width=WIDTH, in_channels=1, num_classes=10, mean=[0], std=[1], seed=0, full_size=full_size
        ).eval()
        for full_size in (False, True)
    )
    for name, model in (("halved", halved), ("full", full)):
        model.body[-1].register_forward_pre_hook(
            lambda _, inputs, name=name: visited.update({name: inputs[0].shape[2:].numel()})
        )
        model(images(1, size=32))
    assert parameters(full) == parameters(halved)
    # InceptionV3's stem has convolutions without padding before and after the pool.
    assert visited["full"] / visited["halved"] == pytest.approx(4, rel=0.35)


def test_what_never_halved_has_no_full_size():
    with pytest.raises(UnknownNameError, match="unknown architecture whose stem halves the image 'vgg13_bn'"):
        build_classifier(
            "vgg13_bn", width=WIDTH, in_channels=1, num_classes=10, mean=[0], std=[1], seed=0, full_size=True
        )


def test_normalisation_is_inside():
    raw = build_classifier(
        "resnet18", width=WIDTH, in_channels=3, num_classes=4, mean=[0, 0, 0], std=[1, 1, 1], seed=5
    ).eval()
    mean, std = [0.1, 0.5, 0.9], [0.5, 1.0, 2.0]
    model = build_classifier("resnet18", width=WIDTH, in_channels=3, num_classes=4, mean=mean, std=std, seed=5).eval()
    x = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    by_hand = torch.stack([(x[:, c] - mean[c]) / std[c] for c in range(3)], dim=1)
    torch.testing.assert_close(model(x), raw(by_hand))
    assert model.mean.shape == model.std.shape == (1, 3, 1, 1)
    assert {"mean", "std"} <= model.state_dict().keys()


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_weights_depend_on_the_seed_alone(architecture):
    before = torch.get_rng_state()
    first, again, other = (build(architecture, seed=seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_wider_is_larger(architecture):
    with torch.device("meta"):
        sizes = [parameters(ARCHITECTURES[architecture](width=w, in_channels=1)[0]) for w in (0.125, 0.25, 0.5)]
    assert sizes == sorted(set(sizes))


@pytest.mark.parametrize(
    ("channels", "width", "expected"),
    [(64, 1, 64), (116, 1, 116), (64, 0.125, 8), (16, 0.125, 8), (96, 0.125, 12), (80, 0.125, 12), (728, 0.25, 184)],
)
def test_channels_are_multiples_of_four_and_at_least_eight(channels, width, expected):
    assert scaled(channels, width) == expected


def test_convolutions_start_with_he_initialisation():
    model = nn.Sequential(nn.Conv2d(64, 512, 3), nn.Conv2d(512, 512, 3, groups=512))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        initialise(model)
    stds = [float(layer.weight.detach().std()) for layer in model]
    # sqrt(2 / fan-in), whatever the number of groups.
    assert stds == pytest.approx([(2 / (64 * 9)) ** 0.5, (2 / 9) ** 0.5], rel=0.05)


def test_a_residual_block_starts_as_its_shortcut():
    block, _ = basic_block(8, 8, 1)
    initialise(block)
    x = torch.randn(2, 8, 4, 4, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(block(x), x.relu())


def test_shuffle_is_torchs():
    halves = torch.randn(2, 2, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    expected = functional.channel_shuffle(torch.cat((halves[0], halves[1]), dim=1), 2)
    assert torch.equal(shuffle(halves[0], halves[1]), expected)


def test_merged_1x1_convolutions_are_the_separate_ones():
    tail = conv_bn_relu(3, 5)
    module = Inception(4, (2, 3), [nn.Identity(), tail], [nn.MaxPool2d(3, stride=1, padding=1)]).eval()
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(0))
    convolution, norm = module.head[0], module.head[1]
    nn.init.uniform_(norm.running_mean, -1, 1)
    nn.init.uniform_(norm.running_var, 0.5, 2)

    def separate(part: slice) -> Tensor:
        y = functional.conv2d(x, convolution.weight[part])
        return functional.batch_norm(y, norm.running_mean[part], norm.running_var[part], eps=norm.eps).relu()

    expected = torch.cat([separate(slice(0, 2)), tail(separate(slice(2, 5))), functional.max_pool2d(x, 3, 1, 1)], dim=1)
    torch.testing.assert_close(module(x), expected)


def test_a_gate_scales_each_channel():
    gate = SqueezeExcite(3, 2, nn.ReLU())
    last = gate.gate[3]
    nn.init.zeros_(last.weight)
    last.bias.data = torch.tensor([-100.0, 0.0, 100.0])
    x = torch.rand(2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    expected = x * torch.tensor([0.0, 0.5, 1.0])[None, :, None, None]
    torch.testing.assert_close(gate(x), expected)


def test_unknown_architecture_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"unknown architecture 'resnet19': expected one of densenet121, .*xcep"):
        build("resnet19")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"width": 0.0}, r"width: expected more than 0 and finite, got 0\.0"),
        ({"width": float("nan")}, "width: expected more than 0 and finite, got nan"),
        ({"width": float("inf")}, "width: expected more than 0 and finite, got inf"),
        ({"in_channels": 2}, "in_channels: expected 1 or 3, got 2"),
        ({"num_classes": 1}, "num_classes: expected at least 2, got 1"),
        ({"mean": [0.5, 0.5, 0.5]}, "mean: expected 1 values, one per channel, got 3"),
        ({"std": []}, "std: expected 1 values, one per channel, got 0"),
        ({"std": [0.0]}, r"std: expected positive values, got 0\.0"),
    ],
)
def test_arguments_out_of_range(change, message):
    arguments = {"width": 0.1, "in_channels": 1, "num_classes": 10, "mean": [0.5], "std": [0.5], "seed": 0}
    with pytest.raises(ConfigError, match=message):
        build_classifier("resnet18", **(arguments | change))

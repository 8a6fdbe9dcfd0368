from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nf.core.errors import ConfigError
from nf.gan.definition import ImageShape
from nf.gan.networks.layers import (
    ConditionalBatchNorm,
    DownBlock,
    PlainBatchNorm,
    SelfAttention,
    UpBlock,
    VectorBatchNorm,
)
from nf.gan.networks.resnet import MetricDiscriminator
from nf.gan.registry import GANS
from nf.gan.variants.sagan import SaganConfig

PUBLISHED_GENERATORS = {
    "sagan": 4.35,
    "wgan_gp": 4.3,
    "logan": 4.3,
    "contragan": 9.4,
    "icrgan": 9.4,
    "reacgan": 9.4,
}


@pytest.mark.parametrize("name", sorted(GANS))
@pytest.mark.parametrize("image_size", [16, 32, 64, 128])
@pytest.mark.parametrize("channels", [1, 3])
def test_shapes_ranges_and_gradients(name, image_size, channels, networks):
    config, _, generator, discriminator = networks(name, image_size, channels, 5)
    for network in (generator, discriminator):
        for parameter in network.parameters():
            if parameter.ndim == 0:
                nn.init.ones_(parameter)  # attention that starts at zero hides what lies behind it
    z = torch.randn(5, config.latent_dim, requires_grad=True)
    labels = torch.arange(5)
    images = generator(z, labels)
    assert images.shape == (5, channels, image_size, image_size)
    assert images.dtype == torch.float32
    assert images.abs().max() <= 1
    logits = discriminator(images, labels)
    assert logits.shape == (5,)
    loss = logits.square().sum()
    if isinstance(discriminator, MetricDiscriminator):
        judged = discriminator.judge(images, labels)
        loss = loss + (judged.embeddings * judged.proxies).sum()
    loss.backward()
    assert (z.grad.abs().sum(1) > 0).all()
    for network in (generator, discriminator):
        for key, parameter in network.named_parameters():
            assert parameter.grad.isfinite().all(), key
            # A bias before batch norm has no effect; everything else has.
            assert key.endswith("conv1.bias") or parameter.grad.abs().max() > 0, key


@pytest.mark.parametrize("name", sorted(GANS))
def test_the_reference_generators_have_the_published_size(name):
    definition = GANS[name]
    shape = ImageShape(32, 3, 10 if definition.conditional else 0)
    parameters = definition.generator(definition.config(), shape).parameters()
    assert sum(parameter.numel() for parameter in parameters) / 1e6 == pytest.approx(
        PUBLISHED_GENERATORS[name], abs=0.05
    )


@pytest.mark.parametrize("name", sorted(GANS))
def test_the_discriminator_judges_each_image_for_itself(name, networks):
    *_, discriminator = networks(name)
    images, labels = torch.rand(6, 1, 16, 16), torch.arange(6) % 3
    together = discriminator(images, labels)
    alone = torch.cat([discriminator(images[i : i + 1], labels[i : i + 1]) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["sagan", "icrgan"])
def test_projection_looks_at_the_label(name, networks):
    *_, discriminator = networks(name)
    images, labels = torch.rand(6, 1, 16, 16), torch.arange(6) % 3
    assert not torch.allclose(discriminator(images, labels), discriminator(images, (labels + 1) % 3))


@pytest.mark.parametrize("name", ["wgan_gp", "logan"])
def test_networks_without_classes_take_no_notice_of_labels(name, networks):
    _, _, generator, discriminator = networks(name)
    z, images = torch.randn(4, 12), torch.rand(4, 1, 16, 16)
    first, second = torch.zeros(4, dtype=torch.int64), torch.full((4,), 9)
    assert torch.equal(generator(z, first), generator(z, second))
    assert torch.equal(discriminator(images, first), discriminator(images, second))


@pytest.mark.parametrize("name", ["contragan", "reacgan"])
def test_embeddings_and_proxies_are_unit_vectors_and_logits_are_those_of_a_plain_call(name, networks):
    *_, discriminator = networks(name)
    images, labels = torch.rand(5, 1, 16, 16), torch.tensor([0, 2, 1, 2, 0])
    judged = discriminator.judge(images, labels)
    for vectors in (judged.embeddings, judged.proxies):
        torch.testing.assert_close(vectors.norm(dim=1), torch.ones(5))
    assert torch.equal(judged.proxies[0], judged.proxies[4])
    assert not torch.equal(judged.proxies[0], judged.proxies[1])
    assert torch.equal(judged.logits, discriminator(images, labels))


def test_each_part_of_a_latent_reaches_the_big_generator_at_its_own_block(networks):
    """The first third of z makes the 4x4 map; later parts leave it, and what earlier blocks make, as they are."""
    _, _, generator, _ = networks("icrgan")
    outputs_of_blocks = []
    for module in (generator.stem, *generator.blocks):
        module.register_forward_hook(lambda module, inputs, output: outputs_of_blocks.append(output))
    z, labels = torch.randn(2, 12), torch.tensor([0, 1])
    changed = z.clone()
    changed[:, 8:] += 1  # the part of the second block
    generator.eval()
    generator(z, labels)
    generator(changed, labels)
    stem, first, second = (
        torch.equal(before, after) for before, after in zip(outputs_of_blocks[:3], outputs_of_blocks[3:], strict=True)
    )
    assert (stem, first, second) == (True, True, False)


def test_a_latent_that_cannot_be_cut_is_refused():
    shape = ImageShape(16, 1, 10)
    with pytest.raises(ConfigError, match=r"latent_dim: expected a multiple of 3.*got 80"):
        GANS["contragan"].generator(GANS["contragan"].config(), shape)


def test_attention_starts_as_the_identity():
    x = torch.randn(2, 16, 8, 8)
    assert torch.equal(SelfAttention(16)(x), x)


def test_attention_against_the_library():
    attention = SelfAttention(16)
    nn.init.ones_(attention.gamma)
    x = torch.randn(2, 16, 8, 8)
    query = attention.query(x).flatten(2).mT
    key = F.max_pool2d(attention.key(x), 2).flatten(2).mT
    value = F.max_pool2d(attention.value(x), 2).flatten(2).mT
    attended = F.scaled_dot_product_attention(query, key, value, scale=1.0)
    expected = x + attention.out(attended.mT.reshape(2, 8, 8, 8))
    torch.testing.assert_close(attention(x), expected)


def test_conditional_batch_norm_is_batch_norm_with_the_affine_map_of_the_class():
    norm = ConditionalBatchNorm(4, num_classes=3)
    x = torch.randn(9, 4, 5, 5)
    labels = torch.arange(9) % 3
    output = norm(x, labels)
    for label in range(3):
        gain, bias = 1 + norm.gain.weight[label], norm.bias.weight[label]
        expected = F.batch_norm(x, None, None, gain, bias, training=True)
        torch.testing.assert_close(output[labels == label], expected[labels == label])
    assert not torch.allclose(output, norm(x, (labels + 1) % 3))


def test_vector_batch_norm_is_batch_norm_with_linear_gain_and_bias():
    norm = VectorBatchNorm(4, vector_dim=6)
    x, vectors = torch.randn(3, 4, 5, 5), torch.randn(3, 6)
    expected = F.batch_norm(x, None, None, training=True)
    gain, bias = 1 + vectors @ norm.gain.weight.T, vectors @ norm.bias.weight.T
    torch.testing.assert_close(norm(x, vectors), expected * gain[:, :, None, None] + bias[:, :, None, None])


def test_plain_batch_norm_is_that_of_the_library():
    x = torch.randn(3, 4, 5, 5)
    assert torch.equal(PlainBatchNorm(4)(x, torch.zeros(3)), nn.BatchNorm2d(4)(x))


def test_an_up_block_equals_its_textbook_order():
    block = UpBlock(8, partial(ConditionalBatchNorm, num_classes=2))
    x, labels = torch.randn(3, 8, 4, 4), torch.tensor([0, 1, 1])
    h = block.conv1(F.interpolate(F.relu(block.norm1(x, labels)), scale_factor=2))
    h = block.conv2(F.relu(block.norm2(h, labels)))
    torch.testing.assert_close(block(x, labels), h + block.shortcut(F.interpolate(x, scale_factor=2)))


@pytest.mark.parametrize("preactivate", [True, False])
def test_a_down_block_equals_its_textbook_order(preactivate):
    block = DownBlock(8, 16, down=True, preactivate=preactivate)
    x = torch.randn(3, 8, 4, 4)
    h = block.conv2(F.relu(block.conv1(F.relu(x) if preactivate else x)))
    torch.testing.assert_close(block(x), F.avg_pool2d(h + block.shortcut(x), 2))


def test_a_block_that_keeps_its_size_has_no_shortcut_weights():
    block = DownBlock(8, 8, down=False)
    x = torch.randn(3, 8, 4, 4)
    torch.testing.assert_close(block(x), x + block.conv2(F.relu(block.conv1(F.relu(x)))))


@pytest.mark.parametrize(
    ("size", "channels", "message"), [(28, 1, "16, 32, 64, 128 pixels.*got 28"), (16, 2, "1 or 3.*got 2")]
)
def test_other_images_are_refused(size, channels, message):
    with pytest.raises(ConfigError, match=message):
        ImageShape(size, channels, 10)


@pytest.mark.parametrize("field", ["generator_channels", "discriminator_channels"])
def test_a_width_that_attention_cannot_divide_is_refused(field):
    config = SaganConfig(**{field: 12})
    builder = GANS["sagan"].generator if field == "generator_channels" else GANS["sagan"].discriminator
    with pytest.raises(ConfigError, match=f"{field}: expected a multiple of 8, got 12"):
        builder(config, ImageShape(16, 1, 10))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps: expected at least 1, got 0"),
        ({"max_shift": -1}, "max_shift: expected at least 0, got -1"),
        ({"learning_rate_d": 0.0}, r"learning_rate_d: expected a positive number, got 0.0"),
        ({"beta2": 1.5}, r"beta2: expected 0 or more and less than 1, got 1.5"),
        ({"ema_decay": 1.0}, r"ema_decay: expected 0 or more and less than 1"),
    ],
)
def test_unusable_settings_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        SaganConfig(**values)

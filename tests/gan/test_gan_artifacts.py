import shutil

import pytest
import torch

from nf.core.errors import ArtifactError
from nf.core.files import read_json, write_sealed
from nf.gan import load_gan


@pytest.fixture
def folder(trained, tmp_path):
    return shutil.copytree(trained[1], tmp_path / "copy")


def test_a_gan_comes_back_as_it_was(trained):
    gan, folder = trained
    loaded = load_gan(folder)
    z, labels = gan.sample_latents(6, torch.Generator().manual_seed(0))
    images = gan.generate(z, labels)
    assert torch.equal(loaded.generate(z, labels), images)
    assert torch.equal(loaded.discriminate(images, labels), gan.discriminate(images, labels))
    assert (loaded.name, loaded.config, loaded.shape) == (gan.name, gan.config, gan.shape)


def test_what_a_gan_offers(trained):
    gan, _ = trained
    assert (gan.latent_dim, gan.num_classes) == (12, 3)
    z, labels = gan.sample_latents(400, torch.Generator().manual_seed(0))
    assert (z.shape, z.dtype) == ((400, 12), torch.float32)
    assert (labels.shape, labels.dtype) == ((400,), torch.int64)
    assert abs(z.mean().item()) < 0.1
    assert abs(z.std().item() - 1) < 0.1
    assert torch.bincount(labels).min() > 100
    again, _ = gan.sample_latents(400, torch.Generator().manual_seed(0))
    assert torch.equal(z, again)


def test_images_are_in_the_unit_range_and_gradients_reach_the_latents(trained):
    gan, _ = trained
    z, labels = gan.sample_latents(5, torch.Generator().manual_seed(0))
    z.requires_grad_()
    images = gan.generate(z, labels)
    assert images.shape == (5, 1, 16, 16)
    assert images.min() >= 0
    assert images.max() <= 1
    loss = gan.naturalness_loss(gan.discriminate(images, labels), "corrected")
    assert loss.shape == (5,)
    loss.sum().backward()
    assert (z.grad.abs().sum(1) > 0).any()  # the loss of an image that looks real enough is flat
    assert not any(p.requires_grad for n in (gan.generator, gan.discriminator) for p in n.parameters())


def test_the_discriminator_is_shown_its_own_range(trained):
    gan, _ = trained
    images, labels = torch.rand(3, 1, 16, 16), torch.arange(3)
    assert torch.equal(gan.discriminate(images, labels), gan.discriminator(images * 2 - 1, labels))


def test_one_image_does_not_see_the_others(trained):
    gan, _ = trained
    z, labels = gan.sample_latents(8, torch.Generator().manual_seed(0))
    torch.testing.assert_close(gan.generate(z, labels)[2:4], gan.generate(z[2:4], labels[2:4]))


def test_a_missing_file_is_named(folder):
    (folder / "generator.safetensors").unlink()
    with pytest.raises(ArtifactError, match=r"expected weights at .*generator.safetensors, found nothing"):
        load_gan(folder)
    with pytest.raises(ArtifactError, match=r"card.json, found nothing"):
        load_gan(folder / "nowhere")


@pytest.mark.parametrize("name", ["generator", "discriminator"])
def test_a_single_wrong_bit_is_noticed(folder, name):
    path = folder / f"{name}.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match=f"{name}.safetensors does not match the SHA-256 in its card"):
        load_gan(folder)


def _edit_card(folder, edit):
    card = read_json(folder / "card.json")
    edit(card)
    write_sealed(folder / "card.json", card)


def test_weights_of_other_networks_than_the_card_says_are_refused(folder):
    _edit_card(folder, lambda card: card["config"].update(generator_channels=16))
    with pytest.raises(ArtifactError, match=r"generator.safetensors does not fit the network that its card"):
        load_gan(folder)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda card: card.pop("config"), "is not the card of a GAN: 'config'"),
        (lambda card: card.update(name="stylegan"), "unknown gan 'stylegan'"),
        (lambda card: card["config"].update(depth=3), "config: unknown key 'depth'"),
        (lambda card: card.update(sha256=None), "is not the card of a GAN"),
    ],
)
def test_a_card_that_makes_no_sense_is_refused(folder, edit, message):
    _edit_card(folder, edit)
    with pytest.raises(ArtifactError, match=message):
        load_gan(folder)

"""What holds for every GAN of the registry."""

import dataclasses
from pathlib import Path

import pytest
import torch

from nf.core.config import load_profile
from nf.core.sections import parse_section
from nf.gan import GANS, ImageShape, load_gan, read_history

PARAMS = Path(__file__).resolve().parents[2] / "params.yaml"


def _files(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", sorted(GANS))
def test_every_gan_trains_and_a_killed_run_ends_in_the_same_bytes(name, train, train_until, tmp_path):
    def measure(gan):
        return {"brightness": gan.generate(*gan.sample_latents(8, torch.Generator().manual_seed(0))).mean().item()}

    whole, killed = tmp_path / "whole", tmp_path / "killed"
    state = torch.get_rng_state()
    gan = train(whole, name=name, measure=measure)
    assert torch.equal(torch.get_rng_state(), state)
    train_until(killed, 10, name=name, measure=measure)
    train(killed, name=name, measure=measure)
    assert _files(killed) == _files(whole)
    assert gan.num_classes == (3 if GANS[name].conditional else 0)
    rows = read_history(whole / "history.csv")
    assert [row["step"] for row in rows] == [7, 12]
    assert rows[1]["brightness"] == pytest.approx(measure(gan)["brightness"], abs=1e-6)
    assert {"d_adversarial", "g_adversarial"} <= rows[0].keys()
    loaded = load_gan(whole)
    z, labels = gan.sample_latents(4, torch.Generator().manual_seed(0))
    assert torch.equal(loaded.generate(z, labels), gan.generate(z, labels))


@pytest.mark.parametrize("name", sorted(GANS))
def test_every_gan_trains_in_bfloat16(name, train, tiny_of, tmp_path):
    """Also where losses hold gradients of gradients."""
    settings = {"steps": 2, "checkpoint_every": 2}
    exact = train(tmp_path / "exact", dataclasses.replace(tiny_of(name), **settings), name=name)
    fast = train(tmp_path / "fast", dataclasses.replace(tiny_of(name), **settings, precision="bfloat16"), name=name)
    for kept, rounded in zip(exact.generator.parameters(), fast.generator.parameters(), strict=True):
        assert rounded.dtype == torch.float32
        assert (kept - rounded).abs().max() < 0.01
    rows = [read_history(tmp_path / folder / "history.csv")[0] for folder in ("exact", "fast")]
    assert rows[0] == pytest.approx(rows[1], rel=0.1, abs=0.05)


@pytest.mark.parametrize("profile", ["digits", "smoke", "cifar10", "cifar10-small", "cifar10-narrow"])
def test_every_profile_has_a_section_that_its_networks_can_be_built_from(profile):
    settings = load_profile(PARAMS, profile)
    for name, definition in GANS.items():
        config = parse_section(definition.config, settings.section("gans", name), name)
        shape = ImageShape(settings.data.image_size, settings.data.channels, 10 if definition.conditional else 0)
        with torch.device("meta"):  # nothing is allocated
            generator, discriminator = definition.generator(config, shape), definition.discriminator(config, shape)
            images = generator.eval()(torch.empty(2, config.latent_dim), torch.zeros(2, dtype=torch.int64))
            assert images.shape == (2, shape.channels, shape.image_size, shape.image_size)
            assert discriminator(images, torch.zeros(2, dtype=torch.int64)).shape == (2,)

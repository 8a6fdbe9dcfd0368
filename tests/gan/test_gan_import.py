"""Generators from outside: real exported programs, good ones and each kind of bad one."""

import io
import json
import zipfile
from pathlib import Path

import pytest
import torch
from torch import nn

from nf.core.errors import ArtifactError, ConfigError
from nf.core.files import read_json, write_sealed
from nf.gan import ImageShape, ImportedConfig, import_gan, load_gan
from nf.models.inference import weights_hash

CONFIG = ImportedConfig(latent_dim=6, prior="uniform", low=0.0, high=255.0, loss="wasserstein")
SHAPE = ImageShape(16, 1, 3)


class Generator(nn.Module):
    """Pixels from 0 to 255; ``spoil`` changes them on their way out."""

    def __init__(self, spoil=None):
        super().__init__()
        torch.manual_seed(0)
        self.classes = nn.Embedding(3, 6)
        self.lift = nn.Linear(6, 4 * 16)
        self.norm = nn.BatchNorm2d(4)
        self.out = nn.Conv2d(4, 1, 3, padding=1)
        self.spoil = spoil or (lambda images: images)

    def forward(self, z, labels):
        h = self.lift(z + self.classes(labels)).view(-1, 4, 4, 4)
        h = nn.functional.interpolate(self.norm(h).relu(), scale_factor=4.0)
        return self.spoil(255 * torch.sigmoid(self.out(h)))


class Critic(nn.Module):
    """Bright images are real, on the scale of the generator."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))

    def forward(self, images, labels):
        return self.weight * images.mean((1, 2, 3))


class Unconditional(nn.Module):
    def forward(self, z):
        return z.tanh().repeat(1, 64)[:, :256].reshape(-1, 1, 16, 16)


def export(network, path, *inputs):
    dynamic = tuple({0: torch.export.Dim.DYNAMIC} for _ in inputs)
    torch.export.save(torch.export.export(network, inputs, dynamic_shapes=dynamic), path)
    return path


def export_generator(path, network=None):
    return export(network or Generator().eval(), path, torch.rand(2, 6), torch.tensor([0, 1]))


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    return export_generator(tmp_path_factory.mktemp("programs") / "generator.pt2")


@pytest.fixture(scope="module")
def critic(tmp_path_factory):
    inputs = (torch.rand(2, 1, 16, 16), torch.tensor([0, 1]))
    return export(Critic(), tmp_path_factory.mktemp("programs") / "critic.pt2", *inputs)


def test_it_comes_back_as_any_other_gan(generator, critic, tmp_path):
    gan = import_gan("mine", CONFIG, SHAPE, generator, folder=tmp_path, discriminator=critic)
    loaded = load_gan(tmp_path)
    assert (loaded.name, loaded.latent_dim, loaded.num_classes, loaded.shape) == ("mine", 6, 3, SHAPE)
    z, labels = gan.sample_latents(50, torch.Generator().manual_seed(0))
    assert z.abs().max() <= 1  # uniform
    assert z.std() == pytest.approx(3**-0.5, abs=0.05)
    images = loaded.generate(z, labels)
    torch.testing.assert_close(images, Generator().eval()(z, labels) / 255)
    logits = loaded.discriminate(images, labels)
    torch.testing.assert_close(logits, 0.5 * 255 * images.mean((1, 2, 3)))
    assert torch.equal(loaded.naturalness_loss(logits, "corrected"), -logits)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["card.json", "discriminator.pt2", "generator.pt2", "samples.png"]


def test_programs_over_the_same_weights_are_distinguished(generator, tmp_path):
    negative = export_generator(tmp_path / "negative.pt2", Generator(lambda images: 255 - images).eval())
    pair = [import_gan("mine", CONFIG, SHAPE, path, folder=tmp_path / path.stem) for path in (generator, negative)]
    states = [{name: value for name, value in gan.generator.state_dict().items() if name != "file"} for gan in pair]
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    assert weights_hash(pair[0].generator) != weights_hash(pair[1].generator)


def test_without_classes_and_without_a_discriminator(tmp_path):
    file = export(Unconditional(), tmp_path / "plain.pt2", torch.rand(2, 4))
    import_gan("plain", ImportedConfig(latent_dim=4), ImageShape(16, 1, 0), file, folder=tmp_path / "gan")
    gan = load_gan(tmp_path / "gan")
    z, labels = gan.sample_latents(3, torch.Generator().manual_seed(0))
    images = gan.generate(z, labels)
    torch.testing.assert_close(images[:, 0, 0, :4], (z.tanh() + 1) / 2)
    assert gan.discriminator is None
    with pytest.raises(ConfigError, match="discriminator: expected 'none', as the GAN 'plain' has no discriminator"):
        gan.discriminate(images, labels)


def _nan(images):
    return images / (images - images)


def _rounded(images):
    return images.round()


def _noisy(images):
    return images + torch.rand_like(images)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Generator(lambda images: images * 2).eval(), r"generator: expected pixels in the stated range, got \d"),
        (Generator(_nan).eval(), "generator: expected finite numbers, got 1280 that are not"),
        (Generator(_rounded).eval(), "generator: expected an output that is differentiable"),
        (Generator(_noisy).eval(), "generator: expected equal answers for equal input"),
        (Generator().train(), "generator: expected equal answers for equal input, whatever else is in the batch"),
        (Generator(lambda images: images[:, :, :8]).eval(), r"expected float32 of shape \(5, 1, 16, 16\), got .*8, 16"),
        (Generator(lambda images: (images, images)).eval(), "expected one tensor, got tuple"),
    ],
    ids=["range", "nan", "rounded", "noise", "train mode", "shape", "tuple"],
)
def test_a_generator_that_is_not_what_was_stated_stays_out(network, message, tmp_path):
    file = export_generator(tmp_path / "bad.pt2", network)
    with pytest.raises(ArtifactError, match=message):
        import_gan("mine", CONFIG, SHAPE, file, folder=tmp_path / "gan")
    assert not (tmp_path / "gan").exists()


def test_a_fixed_batch_and_another_latent_are_refused(generator, tmp_path):
    program = torch.export.export(Generator().eval(), (torch.rand(2, 6), torch.tensor([0, 1])))
    torch.export.save(program, tmp_path / "fixed.pt2")
    with pytest.raises(ArtifactError, match=r"cannot be called with a batch of 5.*dynamic first dimension"):
        import_gan("mine", CONFIG, SHAPE, tmp_path / "fixed.pt2", folder=tmp_path / "gan")
    with pytest.raises(ArtifactError, match="generator: cannot be called with a batch of 5 of the stated size"):
        import_gan("mine", ImportedConfig(latent_dim=7), SHAPE, generator, folder=tmp_path / "gan")


def test_a_discriminator_is_checked_too(generator, tmp_path):
    class Blind(Critic):
        def forward(self, images, labels):
            return (super().forward(images, labels) > 0).float()

    inputs = (torch.rand(2, 1, 16, 16), torch.tensor([0, 1]))
    file = export(Blind(), tmp_path / "blind.pt2", *inputs)
    with pytest.raises(ArtifactError, match="discriminator: expected an output that is differentiable"):
        import_gan("mine", CONFIG, SHAPE, generator, folder=tmp_path / "gan", discriminator=file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "expected an exported program at .*bad.pt2, found nothing"),
        (b"not a program", "bad.pt2 is not an exported program"),
    ],
)
def test_files_that_are_no_programs_are_refused(content, message, tmp_path):
    if content:
        (tmp_path / "bad.pt2").write_bytes(content)
    with pytest.raises(ArtifactError, match=message):
        import_gan("mine", CONFIG, SHAPE, tmp_path / "bad.pt2", folder=tmp_path / "gan")


def _rewritten(source, target, change):
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return target


def test_pickled_tensors_are_refused_before_anything_is_loaded(generator, tmp_path):
    def pickled(name, data):
        if not name.endswith("weights_config.json"):
            return data
        table = json.loads(data)
        next(iter(table["config"].values()))["use_pickle"] = True
        return json.dumps(table)

    file = _rewritten(generator, tmp_path / "pickled.pt2", pickled)
    with pytest.raises(ArtifactError, match="expected plain tensors, got pickled objects"):
        import_gan("mine", CONFIG, SHAPE, file, folder=tmp_path / "gan")


@pytest.mark.parametrize(
    "name", ["data/aotinductor/model/code.so", "data/constants/opaque_obj_0", "data/constants/custom_obj_0"]
)
def test_compiled_code_and_custom_objects_are_refused(name, generator, tmp_path):
    file = _rewritten(generator, tmp_path / "strange.pt2", lambda _, data: data)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"generator/{name}", b"")
    with pytest.raises(ArtifactError, match=f"got {name}; TorchScript, custom objects and compiled code are not read"):
        import_gan("mine", CONFIG, SHAPE, file, folder=tmp_path / "gan")


class _Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_sample_inputs_that_would_run_code_are_refused(generator, tmp_path):
    sprung = tmp_path / "sprung"

    def trapped(name, data):
        if "/sample_inputs/" not in name:
            return data
        buffer = io.BytesIO()
        torch.save((_Trap(sprung),), buffer)
        return buffer.getvalue()

    file = _rewritten(generator, tmp_path / "trap.pt2", trapped)
    with pytest.raises(ArtifactError, match="expected plain tensors, got pickled objects"):
        import_gan("mine", CONFIG, SHAPE, file, folder=tmp_path / "gan")
    assert not sprung.exists()


def test_a_damaged_program_is_refused(generator, tmp_path):
    def emptied(name, data):
        return b"{}" if "/models/" in name else data

    file = _rewritten(generator, tmp_path / "damaged.pt2", emptied)
    with pytest.raises(ArtifactError, match=r"damaged.pt2 cannot be loaded as an exported program"):
        import_gan("mine", CONFIG, SHAPE, file, folder=tmp_path / "gan")


@pytest.mark.parametrize("name", ["sagan", "../mine", "Mine", ""])
def test_names_that_are_taken_or_no_folder_are_refused(name, generator, tmp_path):
    with pytest.raises(ConfigError, match="name: expected small letters, digits, _ and -, and none of sagan"):
        import_gan(name, CONFIG, SHAPE, generator, folder=tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [({"latent_dim": 0}, "latent_dim: expected at least 1"), ({"low": 1.0}, "range: expected low below high")],
)
def test_statements_that_make_no_sense_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        ImportedConfig(**{"latent_dim": 6, **values})


def test_an_artifact_that_was_changed_is_refused(generator, tmp_path):
    import_gan("mine", CONFIG, SHAPE, generator, folder=tmp_path)
    path = tmp_path / "generator.pt2"
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(ArtifactError, match=r"generator.pt2 does not match the SHA-256 in its card; import the GAN"):
        load_gan(tmp_path)
    path.unlink()
    with pytest.raises(ArtifactError, match=r"expected a program at .*generator.pt2, found nothing"):
        load_gan(tmp_path)
    card = read_json(tmp_path / "card.json")
    write_sealed(tmp_path / "card.json", card | {"imported": {"latent_dim": "six"}})
    with pytest.raises(ArtifactError, match=r"is not that of a GAN: imported.latent_dim: expected int"):
        load_gan(tmp_path)

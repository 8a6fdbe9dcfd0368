import copy

import torch

from nf.gan.definition import ImageShape
from nf.gan.resnet import ResnetDiscriminator, ResnetGenerator
from nf.gan.spectral import initialise, plain_weights, weighted_layers

SHAPE = ImageShape(16, 1, 5)


def _shaken_discriminator():
    discriminator = ResnetDiscriminator(16, SHAPE, attention=True)
    initialise(discriminator, 0, spectral=True)
    with torch.no_grad():  # as training would, so that the norms are not 1 by the orthogonal start
        for parameter in discriminator.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1)))
    return discriminator


def test_plain_weights_have_spectral_norm_one():
    weights = plain_weights(_shaken_discriminator())
    for key, weight in weights.items():
        if key.endswith("weight"):
            largest = torch.linalg.svdvals(weight.flatten(1))[0].item()
            assert abs(largest - 1) < 0.01, key


def test_plain_weights_fit_a_plain_network_that_answers_alike():
    trained = _shaken_discriminator()
    twin = copy.deepcopy(trained)
    plain = ResnetDiscriminator(16, SHAPE, attention=True)
    plain.load_state_dict(plain_weights(trained))
    images, labels = torch.rand(4, 1, 16, 16), torch.arange(4)
    for _ in range(50):  # the original's own norms are exact after as many power iterations
        trained(images, labels)
    torch.testing.assert_close(plain(images, labels), trained.eval()(images, labels))
    assert twin(images, labels).isfinite().all()


def test_weights_start_orthogonal_and_biases_at_zero():
    generator = ResnetGenerator(8, 16, SHAPE, attention=True)
    initialise(generator, 0, spectral=False)
    for layer in weighted_layers(generator):
        matrix = layer.weight.flatten(1)
        matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), rtol=0, atol=1e-5)
        assert getattr(layer, "bias", None) is None or (layer.bias == 0).all()


def test_the_start_depends_on_its_seed_alone():
    def start(seed):
        generator = ResnetGenerator(8, 16, SHAPE, attention=True)
        initialise(generator, seed, spectral=True)
        return plain_weights(generator)["stem.weight"]

    torch.manual_seed(5)
    before = torch.get_rng_state()
    generator = ResnetGenerator(8, 16, SHAPE, attention=True)
    after_building = torch.get_rng_state()
    initialise(generator, 0, spectral=True)
    assert torch.equal(torch.get_rng_state(), after_building)
    assert not torch.equal(before, after_building)
    assert torch.equal(start(0), start(0))
    assert not torch.equal(start(0), start(1))


def test_plain_weights_leave_the_network_as_it_was():
    trained = _shaken_discriminator()
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    plain_weights(trained)
    assert all(torch.equal(value, before[key]) for key, value in trained.state_dict().items())

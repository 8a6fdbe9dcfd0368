import copy

import pytest
import torch
from torch.nn.utils.parametrizations import spectral_norm

from nf.gan.definition import ImageShape
from nf.gan.networks.resnet import ResnetDiscriminator, ResnetGenerator
from nf.gan.networks.spectral_norm import SpectralNorm, initialise, plain_weights, weighted_layers

SHAPE = ImageShape(16, 1, 5)


@pytest.fixture
def shaken():
    """A discriminator whose weights have moved, so that their norms are not 1 by the orthogonal start."""
    discriminator = ResnetDiscriminator(16, SHAPE, attention=True)
    initialise(discriminator, 0)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return discriminator


@pytest.fixture
def batch():
    generator = torch.Generator().manual_seed(2)
    return torch.rand(6, 1, 16, 16, generator=generator), torch.randint(5, (6,), generator=generator)


def converge(norm, iterations=300):
    for _ in range(iterations):
        with norm.applied():
            pass


def test_answers_and_gradients_are_those_of_torchs_own_spectral_norm(shaken, batch):
    torchs, norm = copy.deepcopy(shaken), SpectralNorm(shaken, 0)
    for layer in list(weighted_layers(torchs)):
        spectral_norm(layer)
    converge(norm)
    for _ in range(300):
        torchs(*batch)
    with norm.applied():
        logits = shaken(*batch)
    expected = torchs(*batch)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    logits.square().sum().backward()
    expected.square().sum().backward()
    theirs = dict(torchs.named_parameters())
    for name, parameter in shaken.named_parameters():
        original = name.replace(".weight", ".parametrizations.weight.original")
        other = theirs[original] if original in theirs else theirs[name]
        assert (parameter.grad - other.grad).norm() < 1e-3 * other.grad.norm(), name


def test_the_start_is_an_estimate_that_iterations_improve(shaken):
    norm = SpectralNorm(shaken, 0)

    def largest():
        with norm.applied():
            return max(torch.linalg.matrix_norm(layer.weight.flatten(1), 2) for layer in weighted_layers(shaken))

    assert 1 <= (first := largest()) < 1.2
    converge(norm)
    assert abs(largest() - 1) < 1e-3 < first - 1


def test_the_network_holds_its_own_weights_again_also_after_an_error(shaken, batch):
    before = dict(shaken.named_parameters())
    norm = SpectralNorm(shaken, 0)
    with norm.applied():
        shaken(*batch)
        assert not torch.equal(shaken.logit.weight, before["logit.weight"])
    with pytest.raises(RuntimeError, match="loss"), norm.applied():
        raise RuntimeError("loss")
    after = dict(shaken.named_parameters())
    assert list(after) == list(before), "averages and optimisers go by their order"
    assert all(after[name] is parameter for name, parameter in before.items())


def test_plain_weights_have_spectral_norm_one(shaken):
    weights = plain_weights(shaken, spectral=True)
    assert weights.keys() == shaken.state_dict().keys()
    for key, weight in weights.items():
        if key.endswith("weight"):
            assert torch.linalg.svdvals(weight.flatten(1))[0] == pytest.approx(1, abs=1e-4), key
        else:
            assert torch.equal(weight, shaken.state_dict()[key])


def test_without_spectral_norm_weights_stay_as_they_are(shaken):
    weights, state = plain_weights(shaken, spectral=False), shaken.state_dict()
    assert all(torch.equal(weights[key], value) for key, value in state.items())


def test_plain_weights_answer_like_the_network_that_trains(shaken, batch):
    plain = ResnetDiscriminator(16, SHAPE, attention=True)
    plain.load_state_dict(plain_weights(shaken, spectral=True))
    norm = SpectralNorm(shaken, 0)
    converge(norm)
    with norm.applied():
        torch.testing.assert_close(plain(*batch), shaken(*batch), rtol=1e-3, atol=1e-3)


def test_weights_start_orthogonal_and_biases_at_zero():
    generator = ResnetGenerator(8, 16, SHAPE, attention=True)
    initialise(generator, 0)
    for layer in weighted_layers(generator):
        matrix = layer.weight.flatten(1)
        matrix = matrix if len(matrix) <= matrix.shape[1] else matrix.T
        torch.testing.assert_close(matrix @ matrix.T, torch.eye(len(matrix)), rtol=0, atol=1e-5)
        assert getattr(layer, "bias", None) is None or (layer.bias == 0).all()


def test_the_start_depends_on_its_seed_alone():
    def start(seed):
        generator = ResnetGenerator(8, 16, SHAPE, attention=True)
        initialise(generator, seed)
        norm = SpectralNorm(generator, seed)
        return generator.stem.weight, norm.vectors[0]

    torch.manual_seed(5)
    generator = ResnetGenerator(8, 16, SHAPE, attention=True)
    after_building = torch.get_rng_state()
    initialise(generator, 0)
    SpectralNorm(generator, 0)
    assert torch.equal(torch.get_rng_state(), after_building)
    assert all(torch.equal(*pair) for pair in zip(start(0), start(0), strict=True))
    assert not any(torch.equal(*pair) for pair in zip(start(0), start(1), strict=True))

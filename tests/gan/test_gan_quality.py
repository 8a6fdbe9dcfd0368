import math

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from nf.gan.generator import Gan
from nf.gan.quality import frechet_distance, precision_recall, sample_quality
from nf.gan.registry import GANS


def _features(n, d, seed):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)) @ rng.normal(size=(d, d)) + rng.normal(size=d)


def test_frechet_against_scipy():
    a, b = _features(200, 6, 0), _features(150, 6, 1)
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    means = np.square(a.mean(0) - b.mean(0)).sum()
    expected = means + np.trace(cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-6)


def test_frechet_in_closed_form():
    a = _features(200, 6, 0)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(a, a + 2) == pytest.approx(6 * 4, rel=1e-6)
    centred = a - a.mean(0)
    total = np.trace(np.cov(centred, rowvar=False))
    assert frechet_distance(centred, 3 * centred) == pytest.approx((3 - 1) ** 2 * total, rel=1e-6)


def test_frechet_of_one_feature_and_of_fewer_rows_than_features():
    one = np.array([[0.0], [2.0]])  # mean 1, variance 2
    other = np.array([[1.0], [1.0], [4.0]])  # mean 2, variance 3
    assert frechet_distance(one, other) == pytest.approx(1 + (3**0.5 - 2**0.5) ** 2)
    few = _features(5, 20, 0).astype(np.float32)
    assert frechet_distance(few, few) == pytest.approx(0, abs=1e-4)


def test_features_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"expected shapes \(N, D\) and \(M, D\), got \(4, 2\) and \(4, 3\)"):
        frechet_distance(np.ones((4, 2)), np.ones((4, 3)))
    with pytest.raises(ValueError, match="expected at least 2 rows each, got 1 and 4"):
        frechet_distance(np.ones((1, 2)), np.ones((4, 2)))


def _covered(points, by, neighbour):
    """Share of ``points`` within the ball of any of ``by``, one pair at a time."""
    hits = 0
    for point in points:
        for centre in by:
            radius = sorted(math.dist(centre, other) for other in by)[neighbour]  # the nearest is the point itself
            if math.dist(point, centre) <= radius:
                hits += 1
                break
    return hits / len(points)


@pytest.mark.parametrize("neighbour", [1, 3])
def test_precision_and_recall_against_brute_force(neighbour):
    rng = np.random.default_rng(0)
    real, fake = rng.normal(size=(40, 3)), rng.normal(size=(30, 3)) * [0.3, 1, 1] + 0.7
    precision, recall = precision_recall(real, fake, neighbour=neighbour)
    assert precision == _covered(fake, real, neighbour)
    assert recall == _covered(real, fake, neighbour)
    assert precision != recall


def test_precision_and_recall_at_their_ends():
    rng = np.random.default_rng(0)
    real = rng.normal(size=(50, 4)).astype(np.float32)
    assert precision_recall(real, real) == (1, 1)
    assert precision_recall(real, real + 100) == (0, 0)
    repeated = np.repeat(real[:1], 50, axis=0)  # good images, but always the same
    assert precision_recall(real, repeated) == (1, 1 / 50)


def test_features_without_enough_neighbours_are_refused():
    with pytest.raises(ValueError, match="expected more than 3 rows each, got 3 and 9"):
        precision_recall(np.ones((3, 2)), np.ones((9, 2)))
    with pytest.raises(ValueError, match=r"expected shapes .*got \(9, 2\) and \(9, 3\)"):
        precision_recall(np.ones((9, 2)), np.ones((9, 3)))


class _Bands:
    """Calls an image by its brightness: class 0 below ``threshold``, class 1 from there on."""

    def __init__(self, threshold):
        self.threshold = threshold

    def features(self, images):
        return images.mean((1, 3))[:, ::4]

    def __call__(self, images):
        bright = (images.mean((1, 2, 3)) >= self.threshold).long()
        return torch.nn.functional.one_hot(bright, 4).float()


def _gan(networks, name="sagan"):
    torch.manual_seed(0)
    return Gan(GANS[name], *networks(name, 16, 1, 4))


def _draw(gan, n, seed):
    z, labels = gan.sample_latents(n, torch.Generator().manual_seed(seed))
    return gan.generate(z, labels), labels


def test_quality_of_a_gan_against_its_own_samples(networks):
    gan = _gan(networks)
    images, labels = _draw(gan, 600, seed=3)
    brightness = images.mean((1, 2, 3))
    threshold = brightness.quantile(0.75).item()
    found = sample_quality(gan, _Bands(threshold), images, seed=3, samples=600)
    bright = (brightness >= threshold).long()
    entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75)) / np.log(4)
    assert found["frechet"] == pytest.approx(0, abs=1e-6)
    assert found["agreement"] == pytest.approx((bright == labels).double().mean().item(), abs=0.01)
    assert (found["precision"], found["recall"]) == (1, 1)
    assert found["coverage"] == 0.5
    assert found["entropy"] == pytest.approx(entropy, abs=0.01)


def test_without_conditioning_there_is_no_agreement(networks):
    gan = _gan(networks, "logan")
    found = sample_quality(gan, _Bands(threshold=0.0), torch.rand(50, 1, 16, 16), seed=3, samples=50)
    assert list(found) == ["frechet", "precision", "recall", "coverage", "entropy"]
    assert found["coverage"] == 0.25


def test_quality_sees_other_images_and_a_single_class(networks):
    gan = _gan(networks)
    found = sample_quality(gan, _Bands(threshold=2.0), torch.rand(300, 1, 16, 16), seed=3, samples=300)
    assert found["frechet"] > 0.01
    assert found["coverage"] == 0.25
    assert found["entropy"] == 0

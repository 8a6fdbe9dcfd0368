"""How close generated images come to real ones, measured with the features of a classifier of the project."""

import math
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nf.gan.generator import Gan

_CHUNK = 250
_NEIGHBOUR = 3


class FeatureClassifier(Protocol):
    """A classifier in evaluation mode that also returns its features."""

    def __call__(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1] -> (N, classes) logits."""
        ...

    def features(self, images: Tensor) -> Tensor:
        """(N, C, H, W) float32 in [0, 1] -> (N, D) features."""
        ...


def frechet_distance(features_a: NDArray[np.floating], features_b: NDArray[np.floating]) -> float:
    """Squared Fréchet distance between Gaussians fitted to two sets of features (Heusel et al., 2017, Eq. 6).

    It is an "FID" only on the features of one particular Inception network, so it goes by the name of the network here.

    Args:
        features_a: (N, D) features of one set of images, N >= 2.
        features_b: (M, D) features of the other set, M >= 2.

    Returns:
        |mean difference|^2 + tr(A + B - 2 (A B)^(1/2)), at least zero; A, B are the covariances.

    Raises:
        ValueError: the shapes do not fit.
    """
    if features_a.ndim != 2 or features_b.ndim != 2 or features_a.shape[1] != features_b.shape[1]:
        raise ValueError(f"features: expected shapes (N, D) and (M, D), got {features_a.shape} and {features_b.shape}")
    if min(len(features_a), len(features_b)) < 2:
        raise ValueError(f"features: expected at least 2 rows each, got {len(features_a)} and {len(features_b)}")
    mean_a, covariance_a = _moments(features_a)
    mean_b, covariance_b = _moments(features_b)
    # tr (A B)^(1/2) is the sum of the roots of the eigenvalues of A^(1/2) B A^(1/2), which is symmetric.
    values, vectors = np.linalg.eigh(covariance_a)
    root_a = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root_a @ covariance_b @ root_a).clip(0)).sum()
    distance = np.square(mean_a - mean_b).sum() + np.trace(covariance_a) + np.trace(covariance_b) - 2 * cross
    return max(float(distance), 0.0)


def precision_recall(
    real: NDArray[np.floating], fake: NDArray[np.floating], *, neighbour: int = _NEIGHBOUR
) -> tuple[float, float]:
    """How much of one set lies where the other does, both ways (Kynkäänniemi et al., 2019, Eq. 1 and 2).

    A set covers the balls around its points that reach to the ``neighbour``-th nearest other point of the set.

    Args:
        real: (N, D) features of real images; both sets should have the same size.
        fake: (M, D) features of generated images.
        neighbour: rank of the neighbour that the balls reach to, at least 1.

    Returns:
        Precision: the share of fakes that the real images cover; recall: the share of real images that fakes cover.

    Raises:
        ValueError: the shapes do not fit, or there are too few rows to have such a neighbour.
    """
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise ValueError(f"features: expected shapes (N, D) and (M, D), got {real.shape} and {fake.shape}")
    if min(len(real), len(fake)) <= neighbour:
        raise ValueError(f"features: expected more than {neighbour} rows each, got {len(real)} and {len(fake)}")
    between = _squared_distances(real, fake)
    covered_by_real = (between <= _squared_radii(real, neighbour)[:, None]).any(axis=0)
    covered_by_fake = (between <= _squared_radii(fake, neighbour)).any(axis=1)
    return float(covered_by_real.mean()), float(covered_by_fake.mean())


def sample_quality(
    gan: Gan, classifier: FeatureClassifier, real_images: Tensor, seed: int, samples: int = 2_000
) -> dict[str, float]:
    """Measure generated images with a classifier.

    Args:
        gan: the GAN to measure.
        classifier: classifier in evaluation mode, on the GAN's device, with the GAN's classes if it has any.
        real_images: (N, C, H, W) float32 in [0, 1].
        seed: seed of the latents.
        samples: number of images to generate.

    Returns:
        ``frechet``: Fréchet distance between the classifier's features of generated and real images;
        ``precision``, ``recall``: see ``precision_recall``, on equally many features of both;
        ``agreement``: share of generated images to which the classifier gives the label that they were made for; left
        out for a GAN without classes;
        ``coverage``: share of the classes that the classifier finds among the generated images;
        ``entropy``: entropy of the histogram of its labels over the largest possible one, so that 1 is balanced.
    """
    z, labels = gan.sample_latents(samples, torch.Generator().manual_seed(seed))
    generated = gan.generate_in_batches(z, labels, _CHUNK).split(_CHUNK)
    with torch.no_grad():
        logits = torch.cat([classifier(part) for part in generated])
        fake = torch.cat([classifier.features(part) for part in generated]).cpu().numpy()
        real = torch.cat([classifier.features(part.to(gan.device)) for part in real_images.split(_CHUNK)]).cpu().numpy()
    predicted, equally_many = logits.argmax(1), min(len(real), len(fake))
    precision, recall = precision_recall(real[:equally_many], fake[:equally_many])
    shares = torch.bincount(predicted, minlength=logits.shape[1]).double() / samples
    agreement = {"agreement": float((predicted == labels).double().mean())} if gan.num_classes else {}
    return {
        "frechet": frechet_distance(fake, real),
        "precision": precision,
        "recall": recall,
        **agreement,
        "coverage": float((shares > 0).double().mean()),
        "entropy": float(torch.special.entr(shares).sum()) / math.log(len(shares)),
    }


def _squared_distances(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    a, b = a.astype(np.float64), b.astype(np.float64)
    squares = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1) - 2 * a @ b.T
    return np.asarray(squares.clip(0))


def _squared_radii(points: NDArray[np.floating], neighbour: int) -> NDArray[np.float64]:
    distances = _squared_distances(points, points)
    np.fill_diagonal(distances, 0)  # rounding must not make a point farther from itself than from its neighbours
    return np.asarray(np.partition(distances, neighbour, axis=1)[:, neighbour])


def _moments(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    exact = features.astype(np.float64)
    return exact.mean(axis=0), np.atleast_2d(np.cov(exact, rowvar=False))

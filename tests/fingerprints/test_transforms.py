import numpy as np
import pytest
import torch
from scipy.ndimage import affine_transform, gaussian_filter, median_filter, uniform_filter

from nf.core.errors import UnknownNameError
from nf.fingerprints.transforms import TRANSFORMS, Strength, check_transforms, random_transform

STRENGTH = Strength()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(count: int = 3, channels: int = 1) -> torch.Tensor:
    return torch.rand(count, channels, 16, 16, generator=seeded(5))


def moved(images: np.ndarray, down: int, right: int) -> np.ndarray:
    """Shift by whole pixels with zero fill, one pixel at a time: slow, and plainly right."""
    result = np.zeros_like(images)
    height, width = images.shape[2:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                result[:, :, row, column] = images[:, :, row - down, column - right]
    return result


@pytest.mark.parametrize("name", TRANSFORMS)
@pytest.mark.parametrize("channels", [1, 3])
def test_shape_range_and_seed(name, channels):
    images = pictures(channels=channels)
    for seed in range(5):
        once, again = (TRANSFORMS[name](images, seeded(seed), STRENGTH) for _ in range(2))
        assert once.shape == images.shape
        assert torch.equal(once, again)
        assert once.min() > -0.15
        assert once.max() < 1.15


@pytest.mark.parametrize("name", TRANSFORMS)
def test_gradients_are_those_of_finite_differences(name):
    images = torch.rand(1, 1, 5, 5, dtype=torch.float64, generator=seeded()).requires_grad_(True)
    strength = Strength(translation=1, translation_probability=1.0)
    assert torch.autograd.gradcheck(lambda x: TRANSFORMS[name](x, seeded(3), strength), images)


@pytest.mark.parametrize("name", TRANSFORMS)
def test_an_image_does_not_depend_on_its_batch(name):
    images = pictures(count=4)
    whole = TRANSFORMS[name](images, seeded(2), STRENGTH)
    alone = TRANSFORMS[name](images[2:3], seeded(2), STRENGTH)
    torch.testing.assert_close(whole[2:3], alone)


def test_identity_and_flip():
    images = pictures()
    assert torch.equal(TRANSFORMS["identity"](images, seeded(), STRENGTH), images)
    assert np.array_equal(TRANSFORMS["flip"](images, seeded(), STRENGTH).numpy(), images.numpy()[..., ::-1])


def test_noise_has_the_stated_deviation():
    difference = TRANSFORMS["noise"](torch.zeros(1, 3, 64, 64), seeded(), Strength(noise=0.05))
    assert difference.std().item() == pytest.approx(0.05, rel=0.05)
    assert abs(difference.mean().item()) < 0.005


def test_translation_is_a_shift_within_the_limit_and_reaches_all_of_it():
    images = pictures(count=1)
    strength = Strength(translation=2, translation_probability=1.0)
    shifts = {(d, r): moved(images.numpy(), d, r) for d in range(-2, 3) for r in range(-2, 3)}
    visited = set()
    for seed in range(150):
        result = TRANSFORMS["translate"](images, seeded(seed), strength).numpy()
        visited |= {shift for shift, expected in shifts.items() if np.array_equal(result, expected)}
    assert visited == set(shifts)


def test_translation_happens_as_often_as_stated():
    images = pictures(count=1)
    unmoved = sum(torch.equal(TRANSFORMS["translate"](images, seeded(s), STRENGTH), images) for s in range(400))
    # Half are left alone, and 1 in 81 of the others is a shift by nothing.
    assert 400 * 0.5 - 40 < unmoved < 400 * 0.51 + 40


def test_shear_agrees_with_scipy():
    images = pictures(count=1)
    generator = seeded(1)
    along_x, along_y = ((torch.rand(2, generator=seeded(1)) * 2 - 1) * 0.1).tolist()
    result = TRANSFORMS["shear"](images, generator, Strength(shear=0.1))[0, 0].numpy()
    matrix = np.array([[1.0, along_y], [along_x, 1.0]])
    centre = np.array([7.5, 7.5])
    expected = affine_transform(images[0, 0].numpy(), matrix, centre - matrix @ centre, order=1, mode="grid-constant")
    np.testing.assert_allclose(result, expected, atol=1e-5)


def test_all_listed_transforms_are_drawn_and_no_other():
    images = pictures()
    drawn = [random_transform(images, ("identity", "flip"), seeded(seed), STRENGTH) for seed in range(40)]
    same = sum(torch.equal(result, images) for result in drawn)
    flipped = sum(torch.equal(result, images.flip(3)) for result in drawn)
    assert same + flipped == 40
    assert min(same, flipped) > 8


def test_names_are_checked():
    check_transforms(tuple(TRANSFORMS))
    with pytest.raises(UnknownNameError, match="unknown transform 'blur': expected one of average_blur, flip"):
        check_transforms(("identity", "blur"))
    with pytest.raises(ValueError, match="transforms: expected at least one of identity, flip"):
        check_transforms(())
    with pytest.raises(ValueError, match="transforms: expected each once, got noise 2 times"):
        check_transforms(("noise", "identity", "noise"))


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("noise", -0.1, "noise: expected at least 0, got -0.1"),
        ("translation", -1, "translation: expected at least 0, got -1"),
        ("translation_probability", 1.5, "translation_probability: expected 0 to 1, got 1.5"),
        ("blur", 0.0, "blur: expected a positive number, got 0.0"),
        ("canvas", 0.5, r"canvas: expected more than smallest \(0.75\), got 0.5"),
    ],
)
def test_strengths_are_checked(name, value, message):
    with pytest.raises(ValueError, match=message):
        Strength(**{name: value})


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("average_blur", lambda image: uniform_filter(image, 3, mode="nearest")),
        ("median_blur", lambda image: median_filter(image, 3, mode="nearest")),
        ("gaussian_blur", lambda image: gaussian_filter(image, 0.8, mode="nearest", radius=1)),
    ],
)
def test_blurs_are_those_of_scipy(name, reference):
    images = pictures(channels=3)
    blurred = TRANSFORMS[name](images, seeded(), Strength(blur_probability=1.0)).numpy()
    for image, found in zip(images.numpy().reshape(-1, 16, 16), blurred.reshape(-1, 16, 16), strict=True):
        np.testing.assert_allclose(found, reference(image), atol=1e-6)


def test_a_gaussian_blur_that_does_not_happen():
    images = pictures()
    assert torch.equal(TRANSFORMS["gaussian_blur"](images, seeded(), Strength(blur_probability=0.0)), images)


def test_uniform_noise_is_bounded_and_the_same_for_all():
    images = pictures()
    noise = TRANSFORMS["uniform_noise"](images, seeded(), STRENGTH) - images
    assert noise.abs().max() <= 0.05 + 1e-6
    assert noise.min() < -0.04
    assert noise.max() > 0.04
    assert torch.allclose(noise[0], noise[2], atol=1e-6)


@pytest.mark.parametrize(("name", "strength"), [("resize", {"enlarged": 1.02}), ("rescale", {"canvas": 0.76})])
def test_of_few_pixels_a_little_more_is_one(name, strength):
    few = torch.rand(2, 1, 16, 16)
    assert TRANSFORMS[name](few, seeded(), Strength(**strength)).shape == few.shape


def test_rescale_lays_a_smaller_or_larger_picture_on_grey():
    """White pictures: what is grey afterwards is canvas, of 1 - (side / canvas)^2 of the area."""
    white, canvas = torch.ones(1, 1, 32, 32), round(32 * STRENGTH.canvas)
    sides = []
    for seed in range(200):
        rescaled = TRANSFORMS["rescale"](white, seeded(seed), STRENGTH)
        assert rescaled.shape == white.shape
        sides.append(((rescaled.mean().item() - 0.5) * 2) ** 0.5 * canvas)
    assert min(sides) == pytest.approx(24, abs=0.6)
    assert max(sides) == pytest.approx(39, abs=0.6)

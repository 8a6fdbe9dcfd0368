import pytest
import torch
import torch.nn.functional as F

from nf.gan.augment import mirror, translate


def _rng():
    return torch.Generator().manual_seed(0)


def test_each_image_is_shifted_by_whole_pixels_on_its_own():
    images = torch.rand(40, 3, 16, 16) - 0.5
    padded = F.pad(images, [2] * 4)
    shifts = set()
    for image, canvas in zip(translate(images, 2, _rng()), padded, strict=True):
        found = [(y, x) for y in range(5) for x in range(5) if torch.equal(image, canvas[:, y : y + 16, x : x + 16])]
        assert len(found) == 1
        shifts.update(found)
    assert len(shifts) > 10
    assert {0, 4} <= {y for y, _ in shifts} & {x for _, x in shifts}


def test_gradients_reach_every_pixel_that_stays_in_view():
    images = torch.rand(4, 1, 16, 16, requires_grad=True)
    translate(images, 1, _rng()).sum().backward()
    assert (images.grad[:, :, 1:-1, 1:-1] == 1).all()


def test_no_shift_draws_nothing():
    rng, images = _rng(), torch.rand(2, 1, 16, 16)
    before = rng.get_state()
    assert translate(images, 0, rng) is images
    assert torch.equal(rng.get_state(), before)


def test_about_half_of_the_images_are_mirrored():
    images = torch.rand(400, 1, 16, 16)
    mirrored = mirror(images, _rng())
    flipped = (mirrored == images.flip(-1)).flatten(1).all(1)
    kept = (mirrored == images).flatten(1).all(1)
    assert (flipped ^ kept).all()
    assert flipped.sum().item() == pytest.approx(200, abs=50)

import io

import numpy as np
import pytest
from PIL import Image

from nf.core.errors import UnknownNameError
from nf.core.lineage import DEFENCE_NAMES
from nf.suspects import DEFENCES, DefendedSuspect
from nf.suspects.defended import defend


@pytest.fixture(params=[1, 3])
def images(request):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (3, request.param, 16, 20), dtype=np.uint8)


def test_the_zoo_names_these_defences():
    assert tuple(DEFENCES) == DEFENCE_NAMES


@pytest.mark.parametrize("name", DEFENCES)
def test_images_keep_their_form_and_flat_ones_their_colour(name, images):
    defended = defend(images, name)
    assert (defended.shape, defended.dtype) == (images.shape, np.uint8)
    assert (defended != images).any()
    for value in (0, 255):
        flat = np.full_like(images, value)
        np.testing.assert_array_equal(defend(flat, name), flat)


def test_depth_leaves_sixteen_evenly_spaced_levels():
    ramp = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
    assert np.unique(defend(ramp, "depth")).tolist() == list(range(0, 256, 17))


def test_blur_and_resize_smooth_a_checkerboard():
    board = (np.indices((16, 16)).sum(0) % 2 * 255).astype(np.uint8)[None, None]
    for name in ("blur", "resize"):
        assert defend(board, name).std() < board.std()


def test_jpeg_is_what_a_reader_of_the_file_sees(images):
    pixels = np.moveaxis(images[1], 0, -1)
    buffer = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(buffer, "JPEG", quality=75)
    expected = np.asarray(Image.open(buffer)).reshape(pixels.shape)
    np.testing.assert_array_equal(np.moveaxis(defend(images, "jpeg")[1], 0, -1), expected)


def test_unknown_defence(images):
    with pytest.raises(UnknownNameError, match="unknown defence 'prayer': expected one of blur, depth, jpeg, resize"):
        defend(images, "prayer")


def test_a_defended_suspect_answers_what_it_sees(images):
    class Mean:
        output = "labels"

        def __call__(self, asked):
            return asked.astype(np.int64).sum(axis=(1, 2, 3))

    suspect = DefendedSuspect(Mean(), "depth")
    assert suspect.output == "labels"
    np.testing.assert_array_equal(suspect(images), Mean()(defend(images, "depth")))

"""Where an owner's images are found, and which are refused."""

import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nf.core.errors import DataError
from nf.owner.images import find_images, read_images
from tests.owner.conftest import draw


def test_images_are_grey_only_where_all_of_them_are(tmp_path):
    grey = np.random.default_rng(0).integers(0, 256, (200, 1, 16, 16), dtype=np.uint8).repeat(3, axis=1)
    for coloured, channels in ((0, 1), (1, 3)):
        grey[100, 0, :coloured] ^= 255
        np.savez(tmp_path / "a.npz", images=grey, labels=np.arange(200) % 2)
        assert read_images(find_images(str(tmp_path / "a.npz")), 16)[1] == channels


def write(root, *places):
    for place in places:
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (16, 16)).save(root / place)


@pytest.mark.parametrize(
    ("places", "train", "test"),
    [
        (["train/a/0.png", "test/a/0.png"], "train", "test"),
        (["Training/a/0.png", "testing/a/0.png"], "Training", "testing"),
        (["train/a/0.png", "train/b/0.png", "valid/a/0.png", "extra/0.png"], "train", "valid"),
        (["train/a/0.png", ".cache/a/0.png", "__MACOSX/train/a/0.png"], "train", None),
        (["bus/0.png", "car/0.png", "train/0.png"], "", None),
        (["bus/0.png", "test/0.png", "train/0.png"], "", None),
        (["bus/day/0.png", "car/day/0.png", "train/day/0.png"], "", None),
        (["training/0.png", "testing/0.png", "x/0.png", "y/0.png"], "", None),
        (["a/0.png", "b/0.png"], "", None),
    ],
)
def test_a_part_is_told_from_a_class_that_is_called_so(places, train, test, tmp_path):
    write(tmp_path, *places)
    found = find_images(str(tmp_path))
    assert (found.kind, found.train) == ("folder", str(tmp_path / train))
    assert found.test == (test and str(tmp_path / test))
    assert find_images(str(tmp_path), "elsewhere").test == "elsewhere"


@pytest.mark.parametrize("above", ["", "default/"])
def test_folders_of_parquet_are_parts(above, tmp_path):
    for part in ("train", "test"):
        path = tmp_path / above / part / "0000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.table({"label": [0]}), path)
    found = find_images(str(tmp_path))
    assert found.kind == "parquet"
    assert [found.train, found.test] == [str(tmp_path / above / part / "*.parquet") for part in ("train", "test")]
    (tmp_path / "more" / "train").mkdir(parents=True)
    (tmp_path / "more" / "train" / "0000.parquet").touch()
    with pytest.raises(DataError, match=r"expected one training part, got .*train, .*train; name a folder"):
        find_images(str(tmp_path))


def test_a_data_set_of_hugging_face_has_its_own_test_part(tmp_path):
    (tmp_path / "dataset_info.json").touch()
    for place in (str(tmp_path), "someone/digits"):
        assert find_images(place).kind == "hugging_face"
        with pytest.raises(
            DataError, match=f"test: expected nothing beside {place}, got t.npz; .* its own part 'test'"
        ):
            find_images(place, "t.npz")


@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (lambda labels: labels < 2, "got none of '2'"),
        (lambda labels: np.cumsum(labels == 3) * (labels == 3) < 2, "got 1 of '3'"),
        (None, "got none of '0', as 160 of 160 are training images, too"),
        (lambda labels: labels >= 0, None),
    ],
)
def test_every_class_needs_test_images(kept, message, tmp_path):
    (images, labels), (shown, known) = draw(160, 1), draw(40, 2)
    np.savez(tmp_path / "a.npz", images=images, labels=labels)
    if kept is not None:
        np.savez(tmp_path / "t.npz", images=shown[kept(known)], labels=known[kept(known)])
    source = find_images(str(tmp_path / "a.npz"), str(tmp_path / ("a.npz" if kept is None else "t.npz")))
    if message is None:
        assert len(read_images(source, 16)[0].test) == 40
        return
    with pytest.raises(DataError) as caught:
        read_images(source, 16)
    assert re.search(f"test part: expected at least 2 images of every class, {message}$", str(caught.value))

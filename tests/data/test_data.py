import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nf.core.config import DataConfig, SourceConfig
from nf.core.errors import ArtifactError, DataError, UnknownNameError
from nf.data import Augment, Splits, prepare_splits, read_source, to_float

SCRIBBLES = SourceConfig("scribbles", images=40)


@pytest.fixture(scope="module")
def digits():
    return prepare_splits(DataConfig(SourceConfig("digits"), SCRIBBLES, 16, 1), seed=0)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(path, count=24, *, size=32, column="img", names=("cat", "dog", "frog"), label="label"):
    random = np.random.default_rng(1)
    images = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    table = pa.table(
        {
            column: [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(images)],
            label: [i % len(names) for i in range(count)],
        }
    )
    features = {label: {"names": list(names), "_type": "ClassLabel"}, column: {"_type": "Image"}}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return images


def test_splits_are_disjoint_stratified_and_complete(digits):
    parts = [digits[name] for name in ("A", "B", "finetune", "test")]
    assert [len(part) for part in parts] == [628, 629, 270, 270]
    everything = np.concatenate([part.images for part in parts]).reshape(1797, -1)
    original = read_source(SourceConfig("digits"), image_size=16, channels=1, seed=0).train.images.reshape(1797, -1)
    np.testing.assert_array_equal(np.sort(everything, axis=0), np.sort(original, axis=0))
    for part in parts:
        shares = np.bincount(part.labels, minlength=10) / len(part)
        np.testing.assert_allclose(shares, 0.1, atol=0.02)


def test_no_image_is_in_two_splits(digits):
    seen = set()
    for name in ("A", "B", "finetune", "test"):
        rows = {image.tobytes() for image in digits[name].images}
        assert not rows & seen
        seen |= rows


def test_splits_round_trip_and_notice_damage(digits, tmp_path):
    digits.save(tmp_path)
    loaded = Splits.load(tmp_path)
    assert loaded.hashes == digits.hashes
    assert loaded.class_names == digits.class_names
    np.testing.assert_array_equal(loaded["test"].images, digits["test"].images)
    path = tmp_path / "images.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="does not match the hashes"):
        Splits.load(tmp_path)


def test_another_seed_splits_otherwise_the_same_seed_alike(digits):
    config = DataConfig(SourceConfig("digits"), SCRIBBLES, 16, 1)
    assert prepare_splits(config, seed=0).hashes == digits.hashes
    assert prepare_splits(config, seed=1).hashes["A"] != digits.hashes["A"]


def test_digits_fill_the_range_of_a_byte(digits):
    assert digits["A"].images.min() == 0
    assert digits["A"].images.max() == 255
    pixels = np.concatenate([digits["A"].images, digits["B"].images]) / 255
    assert digits.mean == pytest.approx([pixels.mean()], abs=1e-6)
    assert digits.std == pytest.approx([pixels.std()], abs=1e-6)


def test_scribbles_are_as_dark_and_as_high_as_digits_and_all_different(digits):
    config = SourceConfig("scribbles", images=300)
    scribbles = read_source(config, image_size=16, channels=1, seed=3).train.images
    assert scribbles.shape == (300, 1, 16, 16)
    assert len({image.tobytes() for image in scribbles}) == 300
    ink = [images.mean() for images in (scribbles, digits["A"].images)]
    assert ink[0] == pytest.approx(ink[1], rel=0.25)
    rows, columns = (scribbles.max(axis).mean(0).ravel() for axis in (3, 2))
    assert rows[0] > 2 * columns[0]  # they reach the upper edge, not the left one
    again = read_source(config, image_size=16, channels=1, seed=3).train.images
    np.testing.assert_array_equal(again, scribbles)


def test_parquet_in_the_hugging_face_layout(tmp_path):
    images = write_parquet(tmp_path / "train.parquet")
    raw = read_source(SourceConfig("parquet", train=str(tmp_path / "train.parquet")), image_size=32, channels=3, seed=0)
    assert raw.class_names == ("cat", "dog", "frog")
    np.testing.assert_array_equal(raw.train.images, images.transpose(0, 3, 1, 2))
    assert raw.train.labels.tolist() == [i % 3 for i in range(24)]
    assert raw.test is None


def test_other_sizes_and_channels_are_converted(tmp_path):
    write_parquet(tmp_path / "train.parquet", size=40, column="image", label="fine_label")
    raw = read_source(SourceConfig("parquet", train=str(tmp_path / "train.parquet")), image_size=16, channels=1, seed=0)
    assert raw.train.images.shape == (24, 1, 16, 16)


def test_parquet_that_is_none(tmp_path):
    path = tmp_path / "a.parquet"
    source = SourceConfig("parquet", train=str(path))
    with pytest.raises(DataError, match=r"data\.source\.train: expected data at .*a\.parquet, found nothing"):
        read_source(source, image_size=32, channels=3, seed=0)
    path.write_bytes(b"junk")
    with pytest.raises(DataError, match=r"a\.parquet: expected a Parquet file"):
        read_source(source, image_size=32, channels=3, seed=0)
    pq.write_table(pa.table({"picture": [1]}), path)
    with pytest.raises(DataError, match="expected a column 'img' or 'image', got picture"):
        read_source(source, image_size=32, channels=3, seed=0)
    pq.write_table(pa.table({"img": [{"bytes": b"no image"}], "label": [0]}), path)
    with pytest.raises(DataError, match="row 0 of column 'img' is no image"):
        read_source(source, image_size=32, channels=3, seed=0)
    pq.write_table(pa.table({"img": [{"bytes": b""}]}), path)
    with pytest.raises(DataError, match="expected a column of integer labels, got img"):
        read_source(source, image_size=32, channels=3, seed=0)


def test_folder_per_class(tmp_path):
    for name, value in (("ant", 10), ("bee", 200)):
        (tmp_path / name).mkdir()
        for i in range(6):
            (tmp_path / name / f"{i}.png").write_bytes(png(np.full((20, 20, 3), value + i, np.uint8)))
    raw = read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=3, seed=0)
    assert raw.class_names == ("ant", "bee")
    assert raw.train.images[:, 0, 0, 0].tolist() == [*range(10, 16), *range(200, 206)]
    (tmp_path / "bee" / "0.png").write_bytes(b"junk")
    with pytest.raises(DataError, match=r"0\.png: not an image that can be read"):
        read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=3, seed=0)
    with pytest.raises(DataError, match="expected one sub-folder of images per class"):
        read_source(SourceConfig("folder", train=str(tmp_path / "bee")), image_size=16, channels=3, seed=0)


def test_torchvision_names_are_checked():
    with pytest.raises(
        UnknownNameError, match="unknown torchvision data set 'MNIST': expected one of CIFAR10, CIFAR100"
    ):
        read_source(SourceConfig("torchvision", name="MNIST"), image_size=32, channels=3, seed=0)


def test_too_few_images_for_four_splits(tmp_path):
    write_parquet(tmp_path / "train.parquet", count=3)
    config = DataConfig(SourceConfig("parquet", train=str(tmp_path / "train.parquet")), SCRIBBLES, 32, 3)
    with pytest.raises(DataError, match="cannot split 3 images by class"):
        prepare_splits(config, seed=0)


def test_limits_cut_the_parts_down(tmp_path):
    write_parquet(tmp_path / "a.parquet", count=60)
    source = SourceConfig(
        "parquet", train=str(tmp_path / "a.parquet"), test=str(tmp_path / "a.parquet"), images=24, test_images=12
    )
    splits = prepare_splits(DataConfig(source, SCRIBBLES, 32, 3), seed=0)
    assert {name: len(part) for name, part in splits.parts.items()} == {
        "A": 12,
        "B": 12,
        "finetune": 6,
        "test": 6,
        "knockoff": 40,
    }


def test_strangers_may_have_data_of_their_own(tmp_path):
    """An owner's model learned from all of its data: then A is all of it and B comes from elsewhere."""
    write_parquet(tmp_path / "a.parquet", count=60)
    write_parquet(tmp_path / "b.parquet", count=30)
    write_parquet(tmp_path / "c.parquet", names=("x", "y"))

    def config(name):
        own = SourceConfig("parquet", train=str(tmp_path / "a.parquet"), test=str(tmp_path / "a.parquet"))
        return DataConfig(own, SCRIBBLES, 32, 3, others=SourceConfig("parquet", train=str(tmp_path / name)))

    splits = prepare_splits(config("b.parquet"), seed=0)
    assert (len(splits["A"]), len(splits["B"]), len(splits["finetune"])) == (60, 30, 30)
    with pytest.raises(DataError, match=r"data\.others: expected the classes cat, dog, frog, got x, y"):
        prepare_splits(config("c.parquet"), seed=0)


def test_a_crop_is_a_shift_with_zeros():
    images = torch.arange(1, 17, dtype=torch.uint8).reshape(1, 1, 4, 4).expand(64, 1, 4, 4)
    out = Augment(padding=1, flip=False)(images, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images[0, 0], (1, 1, 1, 1))
    shifts = {tuple(padded[y : y + 4, x : x + 4].flatten().tolist()) for y in range(3) for x in range(3)}
    seen = {tuple(image.flatten().tolist()) for image in out}
    assert seen == shifts


def test_half_of_the_images_are_mirrored():
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2).expand(400, 3, 2, 2)
    out = Augment(padding=0, flip=True)(images, torch.Generator().manual_seed(0))
    mirrored = (out == images.flip(3)).flatten(1).all(1)
    assert torch.equal(mirrored, ~(out == images).flatten(1).all(1))
    assert 0.4 < mirrored.float().mean() < 0.6


def test_bytes_become_the_unit_range():
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])

import io
import json
import re
import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from nf.core.config import DataConfig, SourceConfig
from nf.core.errors import ArtifactError, DataError, UnknownNameError
from nf.core.files import read_json, write_sealed
from nf.data import Augment, LabelledImages, RawData, Splits, hold_back, prepare_splits, read_source, to_float

SCRIBBLES = SourceConfig("scribbles", images=40)


@pytest.fixture(scope="module")
def digits():
    return prepare_splits(DataConfig(SourceConfig("digits"), SCRIBBLES, 16, 1), seed=0)


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def write_parquet(
    path, count=24, *, size=32, column="img", names=("cat", "dog", "frog"), label="label", labels=None, seed=1
):
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    table = pa.table(
        {
            column: [{"bytes": png(image), "path": f"{i}.png"} for i, image in enumerate(images)],
            label: labels or [i % len(names) for i in range(count)],
        }
    )
    features = {label: {"names": list(names), "_type": "ClassLabel"}, column: {"_type": "Image"}, "boxes": [{"x": 1}]}
    table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, path)
    return images


def write_plain_parquet(path, **columns):
    """A file that says nothing about its columns; images are as many as the first column has rows."""
    count = len(next(iter(columns.values())))
    pq.write_table(pa.table({"img": [{"bytes": png(np.zeros((16, 16), np.uint8))}] * count, **columns}), path)


def read_parquet(train, test=None, **arguments):
    source = SourceConfig("parquet", train=str(train), test=test and str(test))
    return read_source(source, **{"image_size": 16, "channels": 3, "seed": 0, **arguments})


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
    visited = set()
    for name in ("A", "B", "finetune", "test"):
        rows = {image.tobytes() for image in digits[name].images}
        assert not rows & visited
        visited |= rows


@pytest.mark.parametrize("parts", [("train",), ("train", "test")])
def test_no_image_is_in_two_splits_although_the_source_repeats_it(parts, tmp_path, caplog):
    """The first stays, with its label: half of the repeats have another."""
    random, places = np.random.default_rng(0), {}
    for part in parts:
        images = random.integers(0, 256, (100, 1, 16, 16), dtype=np.uint8)
        labels = np.arange(100) % 2
        others = np.where(np.arange(100) < 50, 1 - labels, labels)
        places[part] = str(tmp_path / f"{part}.npz")
        np.savez(places[part], images=np.concatenate([images, images]), labels=np.concatenate([labels, others]))
    splits = prepare_splits(DataConfig(SourceConfig("arrays", **places), SCRIBBLES, 16, 1), seed=0)
    found = [image.tobytes() for name in ("A", "B", "finetune", "test") for image in splits[name].images]
    assert len(found) == len(set(found)) == 100 * len(parts)
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    held_out = [*zip(splits["test"].images, splits["test"].labels, strict=True)]
    assert all(known[image.tobytes()] == label for image, label in held_out)
    assert len(caplog.messages) == len(parts)
    assert "left out 100 of 200 images of the training part, which repeat earlier ones, 50 with another" in caplog.text


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


def test_the_card_says_whether_the_test_part_was_split_off(digits, tmp_path):
    digits.save(tmp_path)
    assert Splits.load(tmp_path).test_split_off
    card = read_json(tmp_path / "card.json")
    write_sealed(tmp_path / "card.json", {key: value for key, value in card.items() if key != "test_split_off"})
    assert not Splits.load(tmp_path).test_split_off  # an older card does not say
    for name in ("train", "test"):
        write_parquet(tmp_path / f"{name}.parquet", seed=len(name))
    parts = SourceConfig("parquet", train=str(tmp_path / "train.parquet"), test=str(tmp_path / "test.parquet"))
    assert not prepare_splits(DataConfig(parts, SCRIBBLES, 16, 1), seed=0).test_split_off


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
    with pytest.raises(DataError, match="expected a column 'label', got img"):
        read_source(source, image_size=32, channels=3, seed=0)


def test_folder_per_class(tmp_path):
    for name, value in (("ant", 10), ("bee", 200)):
        (tmp_path / name).mkdir()
        for i in range(6):
            (tmp_path / name / f"{i}.png").write_bytes(png(np.full((20, 20, 3), value + i, np.uint8)))
    raw = read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=3, seed=0)
    assert raw.class_names == ("ant", "bee")
    shades = raw.train.images[:, 0, 0, 0]
    assert sorted(shades.tolist()) == [*range(10, 16), *range(200, 206)]
    np.testing.assert_array_equal(raw.train.labels, shades >= 200)
    whole = png(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8))
    end = whole.index(b"IDAT")
    for spoilt in (b"junk", whole[: end - 1] + b"\x80" + whole[end:]):  # a chunk of another length
        (tmp_path / "bee" / "0.png").write_bytes(spoilt)
        with pytest.raises(DataError, match=r"0\.png: not an image that can be read"):
            read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=3, seed=0)
    with pytest.raises(DataError, match="expected one sub-folder of images per class"):
        read_source(SourceConfig("folder", train=str(tmp_path / "bee")), image_size=16, channels=3, seed=0)


def test_what_is_transparent_is_white_and_no_image_is_left_out(tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        stroke = np.zeros((16, 16, 4), np.uint8)
        stroke[4:12, 7:9, 3] = 255
        Image.fromarray(stroke).save(tmp_path / name / "stroke.png")
        Image.fromarray(np.full((16, 16), 90, np.uint8)).save(tmp_path / name / "grey.gif")
        (tmp_path / name / ".DS_Store").write_bytes(b"junk")
    images = read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=1, seed=0).train.images
    assert sorted(np.unique(image).tolist() for image in images) == [[0, 255], [0, 255], [90], [90]]
    for number in range(3):
        (tmp_path / "ant" / f"notes-{number}.pdf").write_text("text")
    with pytest.raises(DataError, match=r"notes-0\.pdf: not an image .*; nor are 2 more of 7 files$"):
        read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=1, seed=0)


def exif_with_a_bad_tag() -> bytes:
    """Orientation 6, beside an image's width that is a text, as some editors leave."""
    tags = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0), struct.pack("<HHI4s", 0x0100, 2, 4, b"abc\0")
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(tags) + struct.pack("<I", 0)


@pytest.mark.parametrize("exif", [6, None, "bad tag"])
@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_a_photograph_is_upright_as_its_exif_says(kind, exif, tmp_path):
    """Data sets of Hugging Face come upright: the same photographs are to be the same images in every form."""
    upright = np.zeros((16, 16), np.uint8)
    upright[:, 8:] = 255
    turned, said = Image.Exif(), io.BytesIO()
    turned[0x0112] = 6
    sideways = upright if exif is None else np.rot90(upright)
    tags = {6: turned.tobytes(), None: b"Exif\0\0damaged", "bad tag": exif_with_a_bad_tag()}
    Image.fromarray(sideways).save(said, "JPEG", quality=100, exif=tags[exif])
    for name in ("ant", "bee"):
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "0.jpg").write_bytes(said.getvalue())
    pq.write_table(pa.table({"img": [said.getvalue()] * 2, "label": [0, 1]}), tmp_path / "images.parquet")
    place = tmp_path / ("images" if kind == "folder" else "images.parquet")
    images = read_source(SourceConfig(kind, train=str(place)), image_size=16, channels=1, seed=0).train.images
    np.testing.assert_allclose(images[:, 0].astype(int), np.stack([upright] * 2), atol=3)


def test_names_of_folders_are_the_same_however_a_system_writes_their_letters(tmp_path):
    for part, name in (("train", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"), ("test", "cafe\N{COMBINING ACUTE ACCENT}")):
        for number, folder in enumerate(("ant", name)):
            (tmp_path / part / folder).mkdir(parents=True)
            (tmp_path / part / folder / "0.png").write_bytes(png(np.full((16, 16), 90 * number, np.uint8)))
    config = SourceConfig("folder", train=str(tmp_path / "train"), test=str(tmp_path / "test"))
    raw = read_source(config, image_size=16, channels=1, seed=0)
    assert raw.class_names == ("ant", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
    assert (raw.test.labels == raw.test.images[:, 0, 0, 0] // 90).all()


def test_a_link_that_leads_back_up_adds_no_images(tmp_path):
    for name in ("ant", "bee", "elsewhere/more"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "0.png").write_bytes(png(np.zeros((16, 16), np.uint8)))
    (tmp_path / "images").mkdir()
    for name in ("ant", "bee"):
        (tmp_path / name).rename(tmp_path / "images" / name)
    (tmp_path / "images" / "ant" / "up").symlink_to(tmp_path / "images")
    (tmp_path / "images" / "bee" / "aside").symlink_to(tmp_path / "elsewhere")
    raw = read_source(SourceConfig("folder", train=str(tmp_path / "images")), image_size=16, channels=1, seed=0)
    assert np.bincount(raw.train.labels).tolist() == [1, 2]


def sorted_source(kind, folder, classes=5, each=40):
    """A source of ``classes`` classes that stand one after the other; an image's shade tells its class."""
    labels = np.repeat(np.arange(classes), each)
    pictures = [png(np.full((16, 16), 50 * label + i % each, np.uint8)) for i, label in enumerate(labels)]
    if kind == "parquet":
        path = folder / "sorted.parquet"
        pq.write_table(pa.table({"img": [{"bytes": picture} for picture in pictures], "label": labels}), path)
        return SourceConfig(kind, train=str(path))
    for i, (label, picture) in enumerate(zip(labels, pictures, strict=True)):
        (folder / f"class-{label}").mkdir(exist_ok=True)
        (folder / f"class-{label}" / f"{i:03}.png").write_bytes(picture)
    return SourceConfig(kind, train=str(folder))


@pytest.mark.parametrize("kind", ["folder", "parquet"])
def test_the_first_images_of_a_split_are_of_all_classes_although_the_source_is_sorted(kind, tmp_path):
    config = DataConfig(sorted_source(kind, tmp_path), SCRIBBLES, 16, 1)
    splits = prepare_splits(config, seed=0)
    for name in ("A", "B", "finetune", "test"):
        part = splits[name]
        assert set(part.labels[: len(part) // 2].tolist()) == set(range(5))
        np.testing.assert_array_equal(part.images[:, 0, 0, 0] // 50, part.labels)
    assert prepare_splits(config, seed=0).hashes == splits.hashes


def test_parquet_whose_classes_are_mixed_keeps_its_order(tmp_path):
    labels = [0, 0, 1, 1, 2, 0]
    images = write_parquet(tmp_path / "a.parquet", count=6, labels=labels)
    train = read_parquet(tmp_path / "a.parquet", image_size=32).train
    assert train.labels.tolist() == labels
    np.testing.assert_array_equal(train.images, images.transpose(0, 3, 1, 2))


def test_classes_of_the_test_file_are_those_of_the_training_file(tmp_path):
    train, test = tmp_path / "train.parquet", tmp_path / "test.parquet"
    write_parquet(train)
    write_parquet(test, names=("cat", "frog", "dog"))
    assert read_parquet(train, test).test.labels.tolist() == [0, 2, 1] * 8
    write_parquet(test, names=("cat", "fox"))
    with pytest.raises(DataError, match=r"test\.parquet: expected the classes .* part, cat, dog, frog, got fox"):
        read_parquet(train, test)
    write_plain_parquet(test, label=["frog", "cat"])
    assert read_parquet(train, test).test.labels.tolist() == [2, 0]
    write_plain_parquet(test, label=[2, 0])
    assert read_parquet(train, test).class_names == ("cat", "dog", "frog")
    write_plain_parquet(test, label=[0, 3])
    with pytest.raises(DataError, match=r"test\.parquet: row 1 of column 'label': expected labels 0 to 2, got 3"):
        read_parquet(train, test)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, None, 1], "row 1 of column 'label': expected a label, got none; leave such rows out"),
        ([0, 1, -1], "row 2 of column 'label': expected labels 0 to 2, got -1, which stands for no label; leave such"),
        ([0, 1, 900_000_000_000], "row 2 of column 'label': expected labels 0 to 2, got 900000000000"),
    ],
)
def test_labels_that_are_no_classes(labels, message, tmp_path):
    path = tmp_path / "a.parquet"
    write_plain_parquet(path, label=pa.array(labels, pa.int64()))
    with pytest.raises(DataError, match=rf"a\.parquet: {message}"):
        read_parquet(path)
    assert len(read_parquet(path, labelled=False).train) == 3  # a thief's images: nobody looks at their labels


def test_labels_beyond_the_declared_classes(tmp_path):
    write_parquet(tmp_path / "a.parquet", labels=[0, 1, 2, 3] * 6)
    with pytest.raises(DataError, match=r"a\.parquet: row 3 of column 'label': expected labels 0 to 2, got 3"):
        read_parquet(tmp_path / "a.parquet")


def test_labels_of_knockoff_images_mean_nothing(tmp_path):
    write_plain_parquet(tmp_path / "k.parquet", label=[-1] * 9)
    knockoff = SourceConfig("parquet", train=str(tmp_path / "k.parquet"))
    assert len(prepare_splits(DataConfig(SourceConfig("digits"), knockoff, 16, 1), seed=0)["knockoff"]) == 9


def test_parquet_without_rows(tmp_path):
    write_plain_parquet(tmp_path / "a.parquet", label=pa.array([], pa.int64()))
    with pytest.raises(DataError, match=r"a\.parquet: expected images, got a table without rows"):
        read_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("name", ["label", "labels", "fine_label"])
def test_labels_are_taken_from_the_column_that_is_called_so(name, tmp_path):
    write_plain_parquet(tmp_path / "a.parquet", id=[7, 8, 9, 10], **{name: [0, 1, 1, 0]})
    assert read_parquet(tmp_path / "a.parquet").train.labels.tolist() == [0, 1, 1, 0]


def test_names_as_labels_are_numbered_in_their_order_and_numbers_by_their_value(tmp_path):
    write_parquet(tmp_path / "a.parquet", labels=["frog", "cat", "dog"] * 8)
    raw = read_parquet(tmp_path / "a.parquet")
    assert raw.class_names == ("cat", "dog", "frog")
    assert raw.train.labels.tolist()[:3] == [2, 0, 1]
    write_parquet(tmp_path / "b.parquet", labels=["100", "20", "3"] * 8)
    assert read_parquet(tmp_path / "b.parquet").class_names == ("3", "20", "100")


def test_folders_that_are_numbers_are_sorted_as_numbers(tmp_path):
    for name in ("2", "10", "100"):
        (tmp_path / name).mkdir()
        Image.new("L", (16, 16), int(name)).save(tmp_path / name / "0.png")
    raw = read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=1, seed=0)
    assert raw.class_names == ("2", "10", "100")
    assert [int(image.mean()) for image in raw.train.images[np.argsort(raw.train.labels)]] == [2, 10, 100]


def test_several_files_of_parquet_are_one_source(tmp_path):
    for part in range(2):
        write_parquet(tmp_path / f"train-{part}.parquet")
    config = SourceConfig("parquet", train=str(tmp_path / "train-*.parquet"))
    assert len(read_source(config, image_size=32, channels=3, seed=0).train) == 48


def test_labels_that_skip_numbers_are_named(tmp_path):
    write_plain_parquet(tmp_path / "a.parquet", label=[0, 2, 3] * 8)
    with pytest.raises(DataError, match="expected images of every class from 0 on, got none of class 1; number them"):
        read_parquet(tmp_path / "a.parquet")


def test_arrays_are_read_as_they_are(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (6, 3, 16, 16), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", images=images, labels=np.arange(6) % 2, names=np.array(["ant", "bee"]))
    raw = read_source(SourceConfig("arrays", train=str(tmp_path / "a.npz")), image_size=16, channels=3, seed=0)
    np.testing.assert_array_equal(raw.train.images, images)
    assert raw.class_names == ("ant", "bee")
    np.savez(tmp_path / "b.npz", images=images.astype(np.float32), labels=np.arange(6))
    with pytest.raises(DataError, match="expected uint8 images"):
        read_source(SourceConfig("arrays", train=str(tmp_path / "b.npz")), image_size=16, channels=3, seed=0)
    (tmp_path / "c.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"expected a \.npz file"):
        read_source(SourceConfig("arrays", train=str(tmp_path / "c.npz")), image_size=16, channels=3, seed=0)


def test_a_data_set_of_hugging_face_is_read_from_its_folder(tmp_path):
    datasets = pytest.importorskip("datasets")
    pictures = [Image.new("RGB", (16, 16), (10 * number, 0, 0)) for number in range(6)]
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
    part = datasets.Dataset.from_dict({"image": pictures, "label": [0, 1] * 3}, features=features)
    datasets.DatasetDict({"train": part, "test": part.select([1])}).save_to_disk(str(tmp_path / "set"))
    raw = read_source(SourceConfig("hugging_face", name=str(tmp_path / "set")), image_size=16, channels=3, seed=0)
    assert raw.class_names == ("ant", "bee")
    assert raw.test.labels.tolist() == [1]
    assert [int(image[0].mean()) for image in raw.train.images] == [10 * number for number in range(6)]
    many, few = (
        datasets.Dataset.from_dict({"image": pictures[:2], "label": labels}).cast_column("image", datasets.Image())
        for labels in (["ant", "bee"], ["bee", "fly"])
    )
    datasets.DatasetDict({"train": many, "test": few}).save_to_disk(str(tmp_path / "named"))
    with pytest.raises(DataError, match="expected the classes of the training part, ant, bee, got fly"):
        read_source(SourceConfig("hugging_face", name=str(tmp_path / "named")), image_size=16, channels=3, seed=0)
    with pytest.raises(DataError, match="expected a data set of Hugging Face at"):
        read_source(SourceConfig("hugging_face", name=str(tmp_path)), image_size=16, channels=3, seed=0)


def one_line(config, **arguments):
    with pytest.raises(DataError) as caught:
        read_source(config, **{"image_size": 16, "channels": 3, "seed": 0, **arguments})
    assert "\n" not in str(caught.value)
    return str(caught.value)


def write_npz(path, labels, *, shape=(3, 16, 16), **names):
    np.savez(path, images=np.zeros((len(labels), *shape), np.uint8), labels=labels, **names)
    return str(path)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            np.eye(4),
            r"expected a number of a class for each of 4 images, got labels of shape (4, 4); one-hot labels become",
        ),
        ([[[0]], [[1]]], "got labels of shape (2, 1, 1)"),
        ([0, 0.5], "row 1 of labels: expected a whole number, got 0.5"),
        ([0, np.nan], "row 1 of labels: expected a whole number, got nan"),
        ([b"a", b"b"], "labels: expected numbers or names of classes, got b'a'"),
        ([0, -1], "row 1 of labels: expected labels 0 to 1, got -1, which stands for no label"),
    ],
)
def test_labels_of_arrays_that_are_no_classes(labels, message, tmp_path):
    assert message in one_line(SourceConfig("arrays", train=write_npz(tmp_path / "a.npz", labels)))


@pytest.mark.parametrize("labels", [[[0], [1], [0]], [0.0, 1.0, 0.0], ["a", "b", "a"], [0, 1, 0]])
def test_labels_of_arrays_in_other_forms(labels, tmp_path):
    config = SourceConfig("arrays", train=write_npz(tmp_path / "a.npz", labels))
    assert read_source(config, image_size=16, channels=3, seed=0).train.labels.tolist() == [0, 1, 0]


def test_arrays_that_are_none(tmp_path):
    path = tmp_path / "a.npz"
    config = SourceConfig("arrays", train=str(path))
    for content in (b"", b"some\ntext", npy(np.zeros((2, 3, 16, 16), np.uint8))):
        path.write_bytes(content)
        assert "a.npz: expected a .npz file, as np.savez writes it, got something else" in one_line(config)
    for shape, count in (((3, 16, 16), 0), ((3, 0, 16), 2)):
        write_npz(path, np.arange(count), shape=shape)
        assert f"expected uint8 images (N, C, H, W), got uint8 {(count, *shape)}" in one_line(config)
    np.savez(path, images=np.zeros((2, 3, 16, 16), np.uint8), labels=3)
    assert "got labels of shape ()" in one_line(config)
    np.savez_compressed(path, images=np.random.default_rng(0).integers(0, 256, (9, 3, 16, 16), np.uint8), labels=[0])
    data = bytearray(path.read_bytes())
    data[400:900] = bytes(500)
    path.write_bytes(data)
    assert "expected a .npz file with images and labels" in one_line(config)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("train", "test", "found"),
    [
        (
            {"labels": [0, 1, 2], "names": ["a", "b", "c"]},
            {"labels": [0, 1, 2, 0], "names": ["c", "a", "b"]},
            [2, 0, 1, 2],
        ),
        ({"labels": [0, 1, 2], "names": ["a", "b", "c"]}, {"labels": ["c", "a"]}, [2, 0]),
        ({"labels": [0, 1, 2], "names": ["a", "b", "c"]}, {"labels": [2, 1]}, [2, 1]),
        ({"labels": [0, 1, 2]}, {"labels": ["2", "1"]}, [2, 1]),
        ({"labels": [0, 1, 2]}, {"labels": [0, 1], "names": ["a", "b"]}, "expected the classes .*, 0, 1, 2, got a, b"),
        ({"labels": [0, 1, 2]}, {"labels": ["a", "b"]}, "expected the classes .*, 0, 1, 2, got a, b"),
        ({"labels": ["a", "b"]}, {"labels": [0, 1]}, "labels: expected names of classes, .*, got numbers"),
        ({"labels": [0, 1, 2]}, {"labels": [3, 1]}, "row 0 of labels: expected labels 0 to 2, got 3"),
        (
            {"labels": ["a", "b"]},
            {"labels": ["b\nc"]},
            "expected the classes .*, a, b, got b\N{REPLACEMENT CHARACTER}c",
        ),
    ],
)
def test_both_parts_mean_the_same_classes(train, test, found, tmp_path):
    paths = [write_npz(tmp_path / f"{name}.npz", **part) for name, part in (("train", train), ("test", test))]
    config = SourceConfig("arrays", train=paths[0], test=paths[1])
    if isinstance(found, str):
        assert re.search(rf"test\.npz: {found}", one_line(config))
    else:
        assert read_source(config, image_size=16, channels=3, seed=0).test.labels.tolist() == found


def test_two_classes_of_one_name_are_refused(tmp_path):
    """The test part is matched by name, so its images would all be of the first."""
    parts = {part: write_npz(tmp_path / f"{part}.npz", [0, 1], names=["a", "a"]) for part in ("train", "test")}
    assert re.search(r"train\.npz: .* each once, got 'a' more than once", one_line(SourceConfig("arrays", **parts)))


@pytest.mark.parametrize("name", ["label", "labels", "class", "target"])
@pytest.mark.parametrize(
    "labels",
    [
        pa.array(["a", "b", "a"], pa.large_string()),
        pa.array(["a", "b", "a"]).dictionary_encode(),
        pa.array([7, 9, 7]).dictionary_encode().cast(pa.dictionary(pa.int32(), pa.string())),
        pa.array([0.0, 1.0, 0.0]),
        pa.array([False, True, False]),
    ],
)
def test_a_column_of_labels_is_never_passed_over(name, labels, tmp_path):
    write_plain_parquet(tmp_path / "a.parquet", id=[0, 1, 2], **{name: labels})
    assert read_parquet(tmp_path / "a.parquet").train.labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0.5, 1, 0], "row 0 of column 'label': expected a whole number, got 0.5"),
        ([[0, 1], [1, 0], [0, 1]], "column 'label': expected numbers or names of classes, got"),
    ],
)
def test_a_column_of_other_things_is_named(labels, message, tmp_path):
    write_plain_parquet(tmp_path / "a.parquet", id=[0, 1, 2], label=labels)
    assert f"a.parquet: {message}" in one_line(SourceConfig("parquet", train=str(tmp_path / "a.parquet")))
    assert len(read_parquet(tmp_path / "a.parquet", labelled=False).train) == 3


def test_parquet_whose_images_are_bytes_or_paths(tmp_path):
    pictures = [png(np.full((16, 16, 3), shade, np.uint8)) for shade in (10, 20)]
    (tmp_path / "0.png").write_bytes(pictures[0])
    (tmp_path / "1.png").write_bytes(pictures[1])
    for column in (pictures, [{"bytes": None, "path": "0.png"}, {"bytes": None, "path": str(tmp_path / "1.png")}]):
        pq.write_table(pa.table({"image": column, "label": [0, 1]}), tmp_path / "a.parquet")
        assert [int(image.mean()) for image in read_parquet(tmp_path / "a.parquet").train.images] == [10, 20]
    (tmp_path / "0.png").unlink()
    message = one_line(SourceConfig("parquet", train=str(tmp_path / "a.parquet")))
    assert re.search(r"row 0 of column 'image' is no image: .*0\.png", message)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda columns: columns["image"][1].update(bytes=columns["image"][1]["bytes"][:60]),
            "1 .*'image' is no image",
        ),
        (lambda columns: columns["image"][1].update(bytes=png(np.zeros((16, 16), np.uint16))), "1 .*expected 8 bits"),
        (lambda columns: columns["label"].__setitem__(2, None), "2 of column 'label': expected a label, got none"),
        (
            lambda columns: columns["label"].__setitem__(2, -1),
            "2 .*got -1, which stands for no label; leave such images",
        ),
    ],
)
def test_what_is_wrong_with_a_data_set_of_hugging_face_names_its_row(spoil, message, tmp_path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["ant", "bee"])})
    whole = [{"bytes": png(np.full((16, 16, 3), shade, np.uint8)), "path": None} for shade in range(4)]
    spoilt = {"image": [dict(each) for each in whole], "label": [0, 1, 0, 1]}
    spoil(spoilt)
    parts = {"train": {"image": whole, "label": [0, 1, 0, 1]}, "test": spoilt}
    datasets.DatasetDict(
        {name: datasets.Dataset.from_dict(columns, features=features) for name, columns in parts.items()}
    ).save_to_disk(str(tmp_path / "set"))
    assert re.search(f"part 'test': row {message}", one_line(SourceConfig("hugging_face", name=str(tmp_path / "set"))))


def test_bytes_and_whole_numbers_of_a_data_set_of_hugging_face(tmp_path):
    datasets = pytest.importorskip("datasets")
    pictures = [png(np.full((16, 16, 3), shade, np.uint8)) for shade in (10, 20)]
    datasets.Dataset.from_dict({"id": [5, 6], "image": pictures, "label": [0.0, 1.0]}).save_to_disk(str(tmp_path / "s"))
    raw = read_source(SourceConfig("hugging_face", name=str(tmp_path / "s")), image_size=16, channels=3, seed=0)
    assert [int(image.mean()) for image in raw.train.images] == [10, 20]
    assert raw.train.labels.tolist() == [0, 1]


def test_what_systems_put_beside_images_is_left_out(tmp_path):
    for name in ("ant", "bee", ".cache", "__MACOSX", "bee/.ipynb_checkpoints"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "0.png").write_bytes(png(np.zeros((16, 16), np.uint8)))
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._0.png", "README.txt"):
        (tmp_path / "ant" / name).write_bytes(b"junk")
    config = SourceConfig("folder", train=str(tmp_path))
    raw = read_source(config, image_size=16, channels=1, seed=0)
    assert (raw.class_names, len(raw.train)) == (("ant", "bee"), 2)
    (tmp_path / "c\nd").mkdir()
    assert "got no images in c\N{REPLACEMENT CHARACTER}d" in one_line(config)


@pytest.mark.parametrize(("dtype", "mode", "suffix"), [(np.uint16, "I;16", "png"), (np.float32, "F", "tiff")])
def test_images_whose_pixels_are_no_bytes_are_refused(dtype, mode, suffix, tmp_path):
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((16, 16), 1000, dtype)).save(tmp_path / name / f"0.{suffix}")
    with pytest.raises(
        DataError, match=rf"ant/0\.{suffix}: .*expected 8 bits a channel, got mode '{mode}'; convert it"
    ):
        read_source(SourceConfig("folder", train=str(tmp_path)), image_size=16, channels=1, seed=0)
    data = (tmp_path / "ant" / f"0.{suffix}").read_bytes()
    pq.write_table(pa.table({"img": [{"bytes": data}], "label": [0]}), tmp_path / "a.parquet")
    with pytest.raises(DataError, match=rf"a\.parquet: row 0 .*expected 8 bits a channel, got mode '{mode}'"):
        read_parquet(tmp_path / "a.parquet")


@pytest.mark.parametrize("key", ["source", "knockoff", "others"])
def test_messages_name_the_section_whose_data_is_missing(key):
    sections = {"source": SourceConfig("digits"), "knockoff": SCRIBBLES, key: SourceConfig("folder", train="nowhere")}
    with pytest.raises(DataError, match=rf"data\.{key}\.train: expected data at nowhere, found nothing"):
        prepare_splits(DataConfig(**sections, image_size=16, channels=1), seed=0)


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
    write_parquet(tmp_path / "train.parquet", count=24, labels=[0, 1] * 11 + [2, 0])
    with pytest.raises(DataError, match="cannot split 24 images by class, of which 'frog' has 1: "):
        prepare_splits(config, seed=0)


def test_a_class_without_test_images_is_named(tmp_path):
    """A share of the images is held back, and of four in sixty that may be none."""
    write_parquet(tmp_path / "train.parquet", count=60, labels=[0, 1] * 28 + [2] * 4)
    source = SourceConfig("parquet", train=str(tmp_path / "train.parquet"))
    message = (
        r"^data\.source: .* at least 2 images of every class in the test part, got none of 'frog'; add images of it"
    )
    with pytest.raises(DataError, match=message):
        prepare_splits(DataConfig(source, SCRIBBLES, 32, 3, test_fraction=0.1), seed=0)
    assert set(prepare_splits(DataConfig(source, SCRIBBLES, 32, 3, test_fraction=0.5), seed=0)["test"].labels) == {
        0,
        1,
        2,
    }


def two_parts(folder, **limits):
    """60 images to learn from and 60 others."""
    for name, seed in (("a", 1), ("test", 5)):
        write_parquet(folder / f"{name}.parquet", count=60, seed=seed)
    return SourceConfig("parquet", train=str(folder / "a.parquet"), test=str(folder / "test.parquet"), **limits)


def test_limits_cut_the_parts_down(tmp_path):
    source = two_parts(tmp_path, images=24, test_images=12)
    splits = prepare_splits(DataConfig(source, SCRIBBLES, 32, 3), seed=0)
    assert {name: len(part) for name, part in splits.parts.items()} == {
        "A": 12,
        "B": 12,
        "finetune": 6,
        "test": 6,
        "knockoff": 40,
    }


@pytest.mark.parametrize(
    ("part", "limits", "message"),
    [
        ("a", {"images": 6}, "source.images: .* at least 2 images of every class, got 6, which leaves none"),
        ("a", {"images": 2}, "source.images: .* at least 2 images of every class, got 2, which leaves none"),
        ("test", {"test_images": 6}, "source.test_images: .* at least 2 .*, got 6, which leaves none"),
        ("others", {"images": 6}, "others.images: .* at least 1 .*, got 6, which leaves none"),
    ],
)
def test_a_class_that_a_limit_empties_is_named(part, limits, message, tmp_path):
    """Shares are kept, and a tenth of two images is none."""
    source = two_parts(tmp_path)
    write_parquet(tmp_path / f"{part}.parquet", count=60, labels=[0, 1] * 29 + [2, 2], seed=9)
    others = SourceConfig("parquet", train=str(tmp_path / "others.parquet"), **limits) if part == "others" else None
    own = source if others else replace(source, **limits)
    with pytest.raises(DataError, match=rf"^data\.{message} of the 2 of 'frog'; raise it, or take it out$"):
        prepare_splits(DataConfig(own, SCRIBBLES, 32, 3, others=others), seed=0)


@pytest.mark.parametrize("count", [57, 58, 59, 60])
def test_a_limit_may_leave_out_fewer_images_than_there_are_classes(count, tmp_path):
    write_parquet(tmp_path / "a.parquet", count=60)
    source = SourceConfig("parquet", train=str(tmp_path / "a.parquet"), images=count)
    parts = prepare_splits(DataConfig(source, SCRIBBLES, 32, 3, test_fraction=0.2), seed=0).parts
    assert sum(len(parts[name]) for name in ("A", "B")) == min(count, 48)
    source = two_parts(tmp_path, images=count)
    parts = prepare_splits(DataConfig(source, SCRIBBLES, 32, 3), seed=0).parts
    assert sum(len(parts[name]) for name in ("A", "B")) == count


def test_independent_models_may_have_data_of_their_own(tmp_path):
    """An owner's model learned from all of its data: then A is all of it and B comes from elsewhere."""
    own = two_parts(tmp_path)
    write_parquet(tmp_path / "b.parquet", count=30, seed=2)
    write_parquet(tmp_path / "c.parquet", names=("x", "y"))

    def config(name, own=own):
        return DataConfig(own, SCRIBBLES, 32, 3, others=SourceConfig("parquet", train=str(tmp_path / name)))

    splits = prepare_splits(config("b.parquet"), seed=0)
    assert (len(splits["A"]), len(splits["B"]), len(splits["finetune"])) == (60, 30, 30)
    with pytest.raises(DataError, match=r"data\.others: expected the classes cat, dog, frog, got x, y"):
        prepare_splits(config("c.parquet"), seed=0)
    write_parquet(tmp_path / "d.parquet", count=75)
    splits = prepare_splits(config("d.parquet"), seed=0)
    assert len(splits["B"]) == 15  # without the 60 that the owner's model learned from
    for limited in (replace(own, images=24, test_images=12), SourceConfig("parquet", train=own.train, images=24)):
        assert prepare_splits(config("d.parquet", limited), seed=0).hashes["B"] == splits.hashes["B"]
    with pytest.raises(DataError, match=r"data\.others: expected images that data\.source does not have, got the same"):
        prepare_splits(config("a.parquet"), seed=0)
    write_parquet(tmp_path / "e.parquet", count=30, labels=[0, 1] * 15, seed=2)
    with pytest.raises(
        DataError, match=r"^data\.others: .* 1 image of every class that data\.source .* none of 'frog'$"
    ):
        prepare_splits(config("e.parquet"), seed=0)


def test_images_that_were_learned_from_are_not_held_back():
    images = np.arange(8 * 768, dtype=np.int64).reshape(8, 3, 16, 16).astype(np.uint8)
    images[:, 0, 0, 0] = np.arange(8)
    train, test = (LabelledImages(images[part], np.arange(8)[part] % 2) for part in (slice(4), slice(2, 8)))
    kept = hold_back(RawData(train, test, ("ant", "bee"))).test
    assert kept.images[:, 0, 0, 0].tolist() == [4, 5, 6, 7]
    assert kept.labels.tolist() == [0, 1, 0, 1]
    assert hold_back(RawData(train, None, ("ant", "bee"))).test is None
    for raw, message in (
        (RawData(train, train, ("ant", "bee")), "got none of 'ant', as 4 of 4 are training images, too"),
        (RawData(train, test.take(np.arange(5)), ("ant", "bee")), "got 1 of 'bee', as 2 of 5 are training images"),
        (RawData(train, kept.take(np.array([0, 2, 1])), ("ant", "bee")), "got 1 of 'bee'$"),
    ):
        with pytest.raises(DataError, match=f"test part: expected at least 2 images of every class, {message}"):
            hold_back(raw)


def test_strangers_learn_from_no_test_image(tmp_path):
    """Half of their source is the owner's test part, which accuracies are measured on and thieves tune with."""
    write_parquet(tmp_path / "a.parquet", count=60)
    write_parquet(tmp_path / "test.parquet", count=24, seed=3)
    write_parquet(tmp_path / "others.parquet", count=48, seed=3)
    own = SourceConfig("parquet", train=str(tmp_path / "a.parquet"), test=str(tmp_path / "test.parquet"))
    others = SourceConfig("parquet", train=str(tmp_path / "others.parquet"))
    splits = prepare_splits(DataConfig(own, SCRIBBLES, 32, 3, others=others), seed=0)
    assert len(splits["B"]) == 24
    known = {image.tobytes() for name in ("A", "finetune", "test") for image in splits[name].images}
    assert not known & {image.tobytes() for image in splits["B"].images}


def test_a_crop_is_a_shift_with_zeros():
    images = torch.arange(1, 17, dtype=torch.uint8).reshape(1, 1, 4, 4).expand(64, 1, 4, 4)
    out = Augment(padding=1, flip=False)(images, torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images[0, 0], (1, 1, 1, 1))
    shifts = {tuple(padded[y : y + 4, x : x + 4].flatten().tolist()) for y in range(3) for x in range(3)}
    found = {tuple(image.flatten().tolist()) for image in out}
    assert found == shifts


def test_half_of_the_images_are_mirrored():
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2).expand(400, 3, 2, 2)
    out = Augment(padding=0, flip=True)(images, torch.Generator().manual_seed(0))
    mirrored = (out == images.flip(3)).flatten(1).all(1)
    assert torch.equal(mirrored, ~(out == images).flatten(1).all(1))
    assert 0.4 < mirrored.float().mean() < 0.6


def test_bytes_become_the_unit_range():
    assert to_float(torch.tensor([0, 51, 255], dtype=torch.uint8)).tolist() == pytest.approx([0, 0.2, 1])


def test_splits_that_cannot_be_written_leave_no_card_beside_those_of_before(digits, tmp_path, monkeypatch):
    digits.save(tmp_path)

    def fail(path, data):
        raise ArtifactError("no space")

    monkeypatch.setattr("nf.data.splits.write_bytes", fail)
    with pytest.raises(ArtifactError, match="no space"):
        digits.save(tmp_path)
    assert not (tmp_path / "card.json").exists()

"""How a classifier is asked, in words, in YAML and in numbers."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from nf.core.errors import ConfigError, SuspectError
from nf.core.interface import (
    NO_CLASS,
    PRESETS,
    Interface,
    Kind,
    parse_input,
    parse_interface,
    read_interface,
    read_labels,
    state_interface,
)
from nf.suspects.interpret import interpret
from nf.suspects.prepare import prepare

RAMP = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16)
COLOURED = np.random.default_rng(0).integers(0, 256, (2, 3, 6, 8), dtype=np.uint8)


def test_what_nobody_states_is_what_the_projects_own_models_take() -> None:
    prepared = prepare(RAMP, Interface())
    assert prepared.dtype == np.float32
    np.testing.assert_array_equal(prepared, RAMP.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize(
    ("words", "black", "white"),
    [
        ("unit", 0, 1),
        ("signed", -1, 1),
        ("bytes", 0, 255),
        ("0..255", 0, 255),
        ("inverted", 1, 0),
        ("range=-0.5/0.5", -0.5, 0.5),
        ("mnist", -0.1307 / 0.3081, (1 - 0.1307) / 0.3081),
        ("uint8", 0, 255),
        ("int8", -128, 127),
        ("uint8,inverted,range=1/0", 1, 0),
        ("float16,bytes", 0, 255),
    ],
)
def test_black_and_white(words: str, black: float, white: float) -> None:
    prepared = prepare(RAMP, parse_input(words))
    assert (float(prepared.min()), float(prepared.max())) == pytest.approx(sorted((black, white)))
    assert float(prepared[0, 0, 0, 0]) == pytest.approx(black)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "uint8", "int8", "int32", "int64"])
def test_numbers_have_the_stated_type_and_integers_lose_nothing(dtype: str) -> None:
    prepared = prepare(RAMP, Interface(dtype=dtype))  # type: ignore[arg-type]
    assert prepared.dtype == dtype
    assert len(np.unique(prepared)) == 256


def test_the_mean_and_deviation_of_imagenet_are_those_of_torchvision() -> None:
    normalise = v2.Compose(
        [v2.ToDtype(torch.float32, scale=True), v2.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])]
    )
    expected = normalise(torch.from_numpy(COLOURED)).numpy()
    np.testing.assert_allclose(prepare(COLOURED, PRESETS["imagenet"]), expected, atol=1e-6)


def test_caffes_means_are_subtracted_from_blue_green_and_red() -> None:
    prepared = prepare(COLOURED, PRESETS["caffe"])
    np.testing.assert_allclose(prepared[:, 2], COLOURED[:, 0] - 123.68, atol=1e-4)
    np.testing.assert_allclose(prepared[:, 0], COLOURED[:, 2] - 103.939, atol=1e-4)


@pytest.mark.parametrize(
    ("words", "shape"),
    [
        ("nchw", (2, 3, 6, 8)),
        ("nhwc", (2, 6, 8, 3)),
        ("chw", (2, 3, 6, 8)),
        ("hwc", (2, 6, 8, 3)),
        ("flat", (2, 144)),
        ("flat-hwc", (2, 144)),
        ("nhw,grey", (2, 6, 8)),
        ("nchw,grey", (2, 1, 6, 8)),
        ("nhwc,12x10", (2, 12, 10, 3)),
        ("224", (2, 3, 224, 224)),
        ("crop=0.5", (2, 3, 6, 8)),
    ],
)
def test_layouts_and_sizes(words: str, shape: tuple[int, ...]) -> None:
    assert prepare(COLOURED, parse_input(words)).shape == shape


def test_flat_images_are_in_the_order_of_their_dimensions() -> None:
    np.testing.assert_array_equal(prepare(COLOURED, parse_input("flat,uint8")), COLOURED.reshape(2, -1))
    expected = COLOURED.transpose(0, 2, 3, 1).reshape(2, -1)
    np.testing.assert_array_equal(prepare(COLOURED, parse_input("flat-hwc,uint8")), expected)


def test_colours() -> None:
    np.testing.assert_array_equal(prepare(COLOURED, parse_input("bgr,uint8")), COLOURED[:, ::-1])
    np.testing.assert_array_equal(prepare(RAMP, parse_input("rgb,uint8")), np.repeat(RAMP, 3, axis=1))
    grey = prepare(COLOURED, parse_input("grey,uint8"))
    for given, image in zip(grey, COLOURED, strict=True):
        expected = np.asarray(Image.fromarray(np.moveaxis(image, 0, -1)).convert("L"))
        assert np.abs(given[0].astype(int) - expected).max() <= 1


def test_sizes_are_those_of_pillow_and_a_crop_keeps_the_middle() -> None:
    picture = Image.fromarray(np.moveaxis(COLOURED[0], 0, -1))
    expected = np.asarray(picture.resize((16, 12), Image.Resampling.BICUBIC))
    whole = prepare(COLOURED[:1], parse_input("nhwc,uint8,12x16,bicubic"))
    np.testing.assert_array_equal(whole[0], expected)
    middle = prepare(COLOURED[:1], parse_input("nhwc,uint8,6x8,bicubic,crop=0.5"))
    np.testing.assert_array_equal(middle[0], expected[3:9, 4:12])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nchv", "expected words such as nhwc, .*got 'nchv'"),
        ("nchw,nhwc", "expected one layout, got 'nchw' and 'nhwc'"),
        ("signed,bytes", r"expected one range, got -1/1 and 0/255"),
        ("std=0", "std: expected numbers above 0, got 0"),
        ("mean=1/2", "mean: expected one number or three, got 1/2"),
        ("range=1/1", "range: expected two different numbers, for black and white, got 1/1"),
        ("range=0/nan", "range: expected two different numbers"),
        ("mean=x", "could not convert string to float"),
        ("0", "expected words such as"),
        ("5000", "expected words such as"),
        ("crop=2", "crop: expected a share above 0 and up to 1, got 2"),
    ],
)
def test_words_that_mean_nothing_are_refused(words: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_input(words)


def test_a_line_says_what_the_words_say() -> None:
    how = parse_input("nhwc,uint8,bgr,224,bicubic,range=0/255,mean=1/2/3")
    assert parse_input(str(how)) == how
    assert str(Interface()) == "as this project's models"


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"layuot": "nhwc"}, "unknown key 'layuot'"),
        ({"layout": "nhcw"}, "layout: expected one of 'nchw'"),
        ({"size": "big"}, "size: expected pixels as in 224 or 240x320, got 'big'"),
        ({"size": [1, 2, 3]}, "size: expected height and width"),
        ({"input": ["nhwc"]}, "input: expected words with commas between"),
        ({"labels": ["a", "A"]}, "labels: expected a name for each class, each once"),
        ({"classes": [0, 0]}, "classes: expected each of the owner's classes once"),
        ({"classes": [0, 1], "offset": 1}, "expected either these or an offset, got both"),
        ({"output_name": [1]}, "output_name: expected a name or a number"),
        ([], "expected a mapping"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused(section: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_interface(section, "suspect", tmp_path)


def test_a_file_says_all_and_words_overrule_it(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("no\nyes\n\n")
    (tmp_path / "how.yaml").write_text(
        "input: nhwc,imagenet\nsize: 224\nmean: 0.5\nlabels: names.txt\nkind: names\noutput_name: 1\n"
    )
    how = read_interface(tmp_path / "how.yaml")
    assert how == Interface(
        layout="nhwc",
        range=(0, 1),
        size=(224, 224),
        mean=(0.5,),
        std=(0.229, 0.224, 0.225),
        labels=("no", "yes"),
        kind="names",
        output_name=1,
    )
    assert parse_interface(how.to_json(), "again", tmp_path) == how
    stated = state_interface(words="nchw", size="32", file=tmp_path / "how.yaml", kind="labels")
    assert (stated.layout, stated.size, stated.kind, stated.mean) == ("nchw", (32, 32), "labels", (0.5,))


def test_names_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="expected names of classes, cannot read it: No such file"):
        read_labels(tmp_path / "gone.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(ConfigError, match="a line each, got none"):
        read_labels(tmp_path / "empty.txt")
    (tmp_path / "latin.txt").write_bytes("Käse".encode("latin-1"))
    with pytest.raises(ConfigError, match="as UTF-8 text"):
        read_labels(tmp_path / "latin.txt")


SCORES = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]], np.float32)


@pytest.mark.parametrize(
    ("raw", "how", "labels"),
    [
        (SCORES, Interface(), [1, 0]),
        (SCORES.reshape(2, 3, 1, 1), Interface(kind="probabilities"), [1, 0]),
        (np.array([2, 0]), Interface(kind="labels"), [2, 0]),
        (np.array([[2], [0]]), Interface(kind="labels"), [2, 0]),
        (np.array([2.0, 0.0]), Interface(kind="labels"), [2, 0]),
        (np.array([2, -1]), Interface(kind="labels"), [2, NO_CLASS]),
        (np.array([3, 1]), Interface(kind="labels", offset=1), [2, 0]),
        (np.array([[-np.inf, 1, 0], [2, -np.inf, -np.inf]]), Interface(), [1, 0]),
        (np.array([0, 1]), Interface(kind="labels", offset=1), [NO_CLASS, 0]),
        (np.array([1, 2]), Interface(kind="labels", classes=(2, 0, 1)), [0, 1]),
        (SCORES, Interface(classes=(2, 0, 1)), [0, 2]),
        (["Cat", " dog"], Interface(kind="names", labels=("cat", "dog", "cow")), [0, 1]),
        ([b"cow", "yak"], Interface(kind="names", labels=("cat", "dog", "cow")), [2, NO_CLASS]),
        (["2", "1"], Interface(kind="names"), [2, 1]),
        ([{"dog": 0.2, "cat": 0.5}, {}], Interface(kind="top-k", labels=("cat", "dog", "cow")), [0, NO_CLASS]),
        ([[(2, 0.9), (0, 0.1)], [(1, 3)]], Interface(kind="top-k"), [2, 1]),
        ([[(3, 0.9)], [(1, 3)]], Interface(kind="top-k", offset=1), [2, 0]),
        ([[(2.0, 0.9), (0.0, 0.1)], [("1.0", 3)]], Interface(kind="top-k"), [2, 1]),
        (np.array([[2.0, 1.0], [0.0, 2.0]]), Interface(kind="labels"), [2, 0]),
        (np.array([[2.0, 0.75], [0.0, 1.0]], np.float32), Interface(kind="labels"), [2, 0]),
        (np.array([[3.0, 0.75], [1.0, 0.5]], np.float32), Interface(kind="labels", offset=1), [2, 0]),
        (np.array([[False, False, True], [True, False, False]]), Interface(), [2, 0]),
    ],
)
def test_answers_mean_classes_of_the_owner(raw: Any, how: Interface, labels: list[int]) -> None:
    assert interpret(raw, how, 2, 3).labels.tolist() == labels


def test_a_class_of_nobody_may_win_and_has_no_column() -> None:
    with_background = np.array([[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]], np.float32)
    answers = interpret(with_background, Interface(offset=1, kind="probabilities"), 2, 3)
    assert answers.labels.tolist() == [2, NO_CLASS]
    assert answers.probabilities is not None
    np.testing.assert_array_equal(answers.probabilities, with_background[:, 1:])


def test_a_number_beside_probabilities_that_are_whole_without_it_is_no_class() -> None:
    """As an entropy, a threshold or the seconds that an answer took."""
    scores = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125]], np.float32)
    for offset, beside in ((0, 3), (1, 0)):
        raw = np.insert(scores, beside, [1.5, 0.25], axis=1)
        answers = interpret(raw, Interface(offset=offset), 2, 3)
        assert answers.labels.tolist() == [0, 1]
        assert answers.probabilities is not None
        np.testing.assert_array_equal(answers.probabilities, scores)
    named = [{**dict(zip("abc", map(float, row), strict=True)), "seconds": 1.5} for row in scores]
    assert interpret(named, Interface(kind="top-k", labels=("a", "b", "c")), 2, 3).labels.tolist() == [0, 1]
    other = [{"a": 0.25, "b": 0.125, "c": 0.125, "d": 0.5}]  # a class of its own, as only all four are whole
    assert interpret(other, Interface(kind="top-k", labels=("a", "b", "c")), 1, 3).labels.tolist() == [NO_CLASS]


def test_all_scores_by_name_are_probabilities() -> None:
    names = Interface(kind="top-k", labels=("a", "b"))
    answers = interpret([{"b": 0.75, "a": 0.25}], names, 1, 2)
    assert answers.probabilities is not None
    assert answers.probabilities.tolist() == [[0.25, 0.75]]
    assert interpret([{"b": 0.75}], names, 1, 2).probabilities is None


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 1, 1)])
@pytest.mark.parametrize(
    ("kind", "given"), [("logits", [-2.0, 1.0, 3.0]), ("probabilities", [0.1, 0.75, 0.9]), ("distances", [2, -1, -3])]
)
def test_one_score_for_two_classes_is_that_of_the_second_or_of_the_one_that_is_stated(
    kind: Kind, given: list[float], shape: tuple[int, ...]
) -> None:
    raw = np.array(given, np.float32).reshape(shape)
    for stated, right in ((None, [0, 1, 1]), ((1,), [0, 1, 1]), ((0,), [1, 0, 0])):
        answers = interpret(raw, Interface(kind=kind, classes=stated), 3, 2)
        assert answers.labels.tolist() == right
        assert answers.probabilities is not None
        np.testing.assert_allclose(answers.probabilities.sum(1), 1, rtol=1e-6)
        own = 1 if stated is None else stated[0]
        if kind == "logits":
            np.testing.assert_allclose(answers.probabilities[:, own], 1 / (1 + np.exp(-raw.ravel())), rtol=1e-5)


def test_an_answer_of_no_class_is_zeros_to_a_verifier() -> None:
    answers = interpret(np.array([0, 1]), Interface(kind="labels", offset=1), 2, 3)
    assert answers.as_probabilities(3).tolist() == [[0, 0, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    ("raw", "how", "message"),
    [
        (np.zeros((2, 4), np.float32), Interface(), "expected 3 classes, as the source model has, got 4"),
        (np.zeros((2, 3), np.float32), Interface(classes=(0, 1)), "expected scores of 2 classes, as the map"),
        (np.zeros((2, 3), np.float32), Interface(offset=1), "got 3 without class 2"),
        (np.array([0, 3]), Interface(kind="labels"), "expected labels from 0 to 2, got 3; the first class is 0"),
        (np.array([0.5, 1]), Interface(kind="labels"), "expected integer labels"),
        (["cat", "dog"], Interface(kind="names"), "got the name 'cat'; say with labels which names there are"),
        (["1"], Interface(kind="names"), "expected answers to 2 images, got 1"),
        ([[(0, 1)], [(0, "x")]], Interface(kind="top-k"), "expected pairs of class and score"),
        ([[(0, 1)], [(0.5, 1)]], Interface(kind="top-k"), "expected numbers of classes, got the fraction 0.5"),
        ([[(0, 1)], [("0.5", 1)]], Interface(kind="top-k"), "expected numbers of classes, got the name '0.5'"),
        (np.array([[2.0, 1.5], [0.0, 2.0]]), Interface(kind="labels"), "expected integer labels"),
        (np.array([[0.2], [0.9]], np.float32), Interface(), "expected logits of at least two classes"),
        ([[(0, 1)], [(0, float("nan"))]], Interface(kind="top-k"), "expected finite scores"),
        (["cat", "dog"], Interface(), "expected logits as numbers, got list"),
        (np.full((2, 3), -np.inf), Interface(), "expected finite logits .* for 2 of 2"),
        (np.array([[0, 1, np.inf]] * 2), Interface(), "expected finite logits .* for 2 of 2"),
        (np.array([[0, 1, -np.inf]] * 2), Interface(kind="distances"), "expected finite logits .* for 2 of 2"),
        (np.array([[0, 1, -np.inf]] * 2), Interface(kind="probabilities"), "expected finite probabilities"),
        (np.array([0, -2]), Interface(kind="labels"), "expected labels from 0 on, got -2"),
        (SCORES, Interface(kind="top-k"), "expected top-k, got float"),
    ],
)
def test_answers_that_do_not_fit_are_refused(raw: Any, how: Interface, message: str) -> None:
    with pytest.raises(SuspectError, match=message):
        interpret(raw, how, 2, 3)


def test_means_of_another_number_of_channels_are_refused() -> None:
    with pytest.raises(SuspectError, match="mean: expected 1 numbers, one for each channel, got 3"):
        prepare(RAMP, PRESETS["imagenet"])


DOCUMENT = Path(__file__).parents[2] / "docs" / "suspects.md"


def test_what_the_documentation_writes_is_understood(tmp_path: Path) -> None:
    text = DOCUMENT.read_text()
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    (tmp_path / "how.yaml").write_text(re.search(r"```yaml\n(input:.*?)```", text, re.DOTALL)[1])  # type: ignore[index]
    how = read_interface(tmp_path / "how.yaml")
    assert (how.layout, how.size, how.output_name, how.offset) == ("nhwc", (224, 224), "logits", 1)
    (words,) = re.findall(r"^Words of `--input`.*?\.(?=\s[A-Z])", text, re.DOTALL | re.MULTILINE)
    listed = set(re.findall(r"`([a-z0-9=./-]+)`", words))
    listed.discard("--input")
    assert len(listed) > 25
    for word in listed:
        parse_input(word)

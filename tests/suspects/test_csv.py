import random
import re
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nf.cli.images import images as write_images
from nf.cli.verify import verify
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import Interface
from nf.core.sheets import image_hash, image_name, save_images
from nf.suspects import CsvSuspect, OnnxSuspect, ask, examine


@pytest.fixture
def record(tmp_path):
    def save(rows, *, header=("image", "a", "b", "c")):
        path = tmp_path / "answers.csv"
        path.write_text("\n".join(",".join(map(str, row)) for row in (header, *rows)) + "\n")
        return path

    return save


IMAGES = np.random.default_rng(1).integers(0, 256, (8, 1, 4, 4), dtype=np.uint8)
NAMES = [image_name(index, image) for index, image in enumerate(IMAGES)]
SHOWN = [re.escape(f"*-{image_hash(image)}.png") for image in IMAGES]


@pytest.fixture
def images():
    return IMAGES[:7]


def rows_of(values):
    return [
        [name, *([value] if isinstance(value, str) else np.atleast_1d(value))]
        for name, value in zip(NAMES, values, strict=False)
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_the_images_of_a_query_set_are_saved_pixel_for_pixel(tmp_path, channels):
    images = np.random.default_rng(0).integers(0, 256, (12, channels, 5, 4), dtype=np.uint8)
    save_images(tmp_path / "images", images)
    paths = sorted((tmp_path / "images").iterdir())
    assert [path.name for path in paths] == [image_name(index, image) for index, image in enumerate(images)]
    read = [np.asarray(Image.open(path)).reshape(5, 4, channels) for path in paths]
    np.testing.assert_array_equal(np.stack(read).transpose(0, 3, 1, 2), images)


def test_answers_in_any_order_are_those_of_the_file_that_gave_them(record, write, linear, queries):
    suspect = OnnxSuspect(write(linear))
    rows = rows_of(suspect(queries.images))
    random.Random(0).shuffle(rows)
    recorded, directly = ask(CsvSuspect(record(rows)), queries), ask(suspect, queries)
    np.testing.assert_array_equal(recorded.probabilities, directly.probabilities)


def test_labels_are_one_column_wherever_it_stands(record, queries):
    rows = [[label, name] for name, label in rows_of(queries.labels)]
    answers = ask(CsvSuspect(record(rows, header=("label", "image")), output="labels"), queries)
    assert queries.score(answers) == 1.0


HEADERS = {2: ("image", "label"), 4: ("image", "a", "b", "c")}
ALL = rows_of(np.eye(3)[[0, 1, 2, 0, 1, 2, 0]])


@pytest.mark.parametrize(
    ("rows", "output", "message"),
    [
        (ALL[2:], "logits", f"expected an answer to {SHOWN[0]}, {SHOWN[1]}, got none"),
        ([*ALL, ALL[0], ALL[3], [*ALL[3][:3], 7]], "logits", f"expected one answer to {SHOWN[0]}, {SHOWN[3]}, got sev"),
        ([[NAMES[0], "", "", ""], *ALL[1:]], "logits", f"expected an answer to {SHOWN[0]}, got an empty line"),
        ([[NAMES[0], "cat", 0, 0], *ALL[1:]], "logits", f"expected a score for {SHOWN[0]}, got 'cat'"),
        ([[NAMES[0], "1_0", 0, 0], *ALL[1:]], "logits", f"expected a score for {SHOWN[0]}, got '1_0'"),
        ([[NAMES[0], "", 0, 0], *ALL[1:]], "logits", f"expected a score for {SHOWN[0]}, got ''"),
        ([*ALL[:2], [NAMES[2], 1, 0], *ALL[3:]], "logits", f"expected 3 cells beside .*, got 2 for {SHOWN[2]}"),
        (ALL, "labels", "expected one column beside the image, with the label, .*, got 3"),
        (rows_of([0, 1, "2.5", 0, 1, 2, 1]), "labels", f"expected a label for {SHOWN[2]}, got '2.5'"),
        (rows_of([0, 1, "cat", 0, 1, 2, 1]), "labels", f"expected a label for {SHOWN[2]}, got 'cat'; say with labels"),
        (rows_of([0, 1, "\N{ARABIC-INDIC DIGIT THREE}", 0, 1, 2, 1]), "labels", f"expected a label for {SHOWN[2]}"),
        (rows_of([0, 1, 2**63, 0, 1, 2, 1]), "labels", f"expected a label for {SHOWN[2]}, got '9223372036854775808'"),
        (rows_of([0, 1, 2, 0, 1, 2, -1]), "labels", f"expected a label for {SHOWN[6]}, got '-1'"),
        (rows_of([0.5] * 7), "logits", "expected logits of at least two classes"),
    ],
)
def test_tables_that_do_not_answer_are_refused(record, images, rows, output, message):
    with pytest.raises(SuspectError, match=message):
        CsvSuspect(record(rows, header=HEADERS[len(rows[-1])]), output=output)(images)


def test_answers_to_another_query_set_are_not_taken_for_answers_to_this_one(record):
    with pytest.raises(SuspectError, match=r"expected an answer to \*-[0-9a-f]{8}\.png, .* and 2 more, got none"):
        CsvSuspect(record(ALL))(255 - IMAGES[:7])


def test_a_table_may_come_from_a_spreadsheet(record, images):
    path = record(ALL)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b",,,\r\n\r\n,,,\r\n")
    assert CsvSuspect(path)(images).tolist() == np.eye(3)[[0, 1, 2, 0, 1, 2, 0]].tolist()


def test_what_is_no_table(record, images, tmp_path):
    with pytest.raises(SuspectError, match=r"expected a column with the names of the images .*\['file', 'label'\]"):
        CsvSuspect(record([["cat.png", 3]], header=("file", "label")))(images)
    with pytest.raises(SuspectError, match="expected a table of answers: No such file"):
        CsvSuspect(tmp_path / "nowhere.csv")(images)
    junk = tmp_path / "junk.csv"
    for content, message in (
        (b"\xff\xfe\x00", "expected a table of answers as CSV"),
        (b"a,b\0", "expected a table of answers as CSV: it holds zero bytes"),
        (b"PK\x03\x04...", "got a workbook; save it as CSV"),
        (b"", "expected a column with the names"),
    ):
        junk.write_bytes(content)
        with pytest.raises(SuspectError, match=message):
            CsvSuspect(junk)(images)


def test_a_table_with_some_of_the_control_images_is_held_against_so_many(graded, tmp_path):
    """What is known of all of them, as how many the best honest models get right, is known of a part."""
    controls = replace(graded.controls, best=40, usual=36)
    queries = replace(graded, controls=controls)
    path = tmp_path / "answers.csv"

    def write(labels):
        asked = np.concatenate([queries.images, controls.images[:16]])
        rows = [f"{image_name(n, image)},{label}" for n, (image, label) in enumerate(zip(asked, labels, strict=True))]
        path.write_text("\n".join(["image,label", *rows]) + "\n")
        return examine(CsvSuspect(path, output="labels"), queries, Interface(kind="labels"))

    right = controls.labels[:16].copy()
    right[:4] = (right[:4] + 1) % 3
    found = write([*queries.labels, *right])
    assert (found.found.right, found.found.controls, found.doubt) == (12, 16, None)
    best = replace(controls, best=20)
    queries = replace(graded, controls=best)
    with pytest.raises(NoVerdictError, match=r"it gets 16 of 16 control images right, .* gets 7 of 16"):
        write([*queries.labels, *controls.labels[:16]])


def test_from_a_query_set_to_pictures_to_a_table_to_a_verdict(queries, tmp_path):
    """Whoever puts the pictures to the suspect finds each of them by its name."""
    queries.save(tmp_path / "queries")
    run = CliRunner().invoke
    assert run(write_images, [str(tmp_path / "queries"), str(tmp_path / "pictures")]).exit_code == 0
    label_of = {image.tobytes(): label for image, label in zip(queries.images, queries.labels, strict=True)}
    table = tmp_path / "answers.csv"
    with table.open("w") as file:
        file.write("image,label\n")
        for path in (tmp_path / "pictures").iterdir():
            file.write(f"{path.name},{label_of[np.asarray(Image.open(path)).tobytes()]}\n")
    done = run(
        verify, [str(table), "--queries", str(tmp_path / "queries"), "--output", "labels"], catch_exceptions=False
    )
    assert done.exit_code == 4  # the set has no calibration
    assert "matching rate  1.000  (7 queries" in done.output
    assert done.output.startswith("verdict        STOLEN OR TRAINED ON YOUR DATA\n")

"""One suspect's answers, written down as spreadsheets of several countries and people of several habits do."""

import csv
import io
import re
import unicodedata
from dataclasses import replace

import numpy as np
import pytest

from nf.core.controls import Controls
from nf.core.errors import SuspectError
from nf.core.interface import NO_CLASS, Interface
from nf.core.sheets import image_name
from nf.suspects import CsvSuspect
from nf.suspects.interpret import interpret

IMAGES = np.random.default_rng(1).integers(0, 256, (40, 1, 4, 4), dtype=np.uint8)
KEYS = [image_name(index, image) for index, image in enumerate(IMAGES)]
SCORES = np.random.default_rng(2).dirichlet(np.full(10, 0.3), 40).round(4)
LABELS = SCORES.argmax(axis=1)
SHOWN = (LABELS + np.arange(40) % 3) % 10
CLASSES = ("plane", "Auto", "bird", "cat", "deer", "dog", "frog", "cheval", "bateau", "träger")
NAMED = Interface(labels=CLASSES)


def table(header, rows, *, separator=",", names=KEYS, last=False):
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=separator, lineterminator="\r\n")
    lines = [[name, *row] for name, row in zip(names, rows, strict=True)]
    for line in [["image", *header], *lines] if header else lines:
        writer.writerow([*line[1:], line[0]] if last else line)
    return buffer.getvalue()


def comma(rows):
    return [[str(cell).replace(".", ",") for cell in row] for row in rows]


def order(k):
    return np.argsort(-SCORES, axis=1, kind="stable")[:, :k]


def ranked(k, *, names=False, alternate=True):
    rows = []
    for scores, best in zip(SCORES, order(k), strict=True):
        labels = [CLASSES[label] if names else label for label in best]
        values = [scores[label] for label in best]
        rows.append(
            [cell for pair in zip(labels, values, strict=True) for cell in pair] if alternate else labels + values
        )
    return rows


def numbered(header, rows, *, heading=""):
    """As pandas writes a table with its index."""
    first, *lines = table(header, rows).splitlines()
    return "\r\n".join([f"{heading},{first}", *(f"{number},{line}" for number, line in enumerate(lines))])


def grouped(rows, mark):
    return [[f"{1e5 * score - 300:,.0f}".replace(",", mark) for score in row] for row in rows]


PLAIN = [[label] for label in LABELS]
WORDS = [[CLASSES[label]] for label in LABELS]
DIGITS = [str(label) for label in range(10)]
TOP5 = [f"{what}{rank}" for rank in range(1, 6) for what in ("label", "score")]
EXCEL = {"separator": ";"}
DEEP = [f"C:\\pictures\\set 1\\{name.replace('.png', '.JPG')}" for name in KEYS]
COPIED = [f"./out/{name[:-4]} (1).webp" for name in KEYS]
PERCENT = [[f"{100 * score:.2f} %".replace(".", ",") for score in row] for row in SCORES]
HUNDRED = (SCORES * 100).round(2)
LABELLED = [[label, *row] for label, row in zip(LABELS, SCORES, strict=True)]
LATE = np.arange(40) + 12.5

FORMS = {
    "labels": (table(["label"], PLAIN), Interface()),
    "labels, no header": (table([], PLAIN), Interface()),
    "labels with decimals": (table(["label"], [[f"{label}.0"] for label in LABELS]), Interface()),
    "labels with decimal commas": (table(["label"], [[f"{label},0"] for label in LABELS], **EXCEL), Interface()),
    "image last": (table(["Klasse"], PLAIN, last=True, separator="\t"), Interface()),
    "paths": (table(["label"], PLAIN, names=DEEP), Interface()),
    "copies": (table(["label"], PLAIN, names=COPIED), Interface()),
    "excel's separator line": ("sep=;\r\n" + table(["label"], PLAIN, **EXCEL), Interface()),
    "labels from one": (table(["label"], [[label + 1] for label in LABELS]), Interface(offset=1)),
    "names": (table(["label"], WORDS), NAMED),
    "names in capitals": (table(["label"], [[f" {word.upper()} "] for (word,) in WORDS]), NAMED),
    "top-1": (table(["label", "confidence"], ranked(1)), Interface()),
    "top-1, German": (table(["Klasse", "Konfidenz"], comma(ranked(1)), **EXCEL), Interface()),
    "top-1, confidence first": (table(["score", "what"], [row[::-1] for row in ranked(1)]), Interface()),
    "top-1 by name, no header": (table([], ranked(1, names=True)), NAMED),
    "top-1 by name and remarks": (
        table(["prediction", "remarks"], [[*row, "seen twice"] for row in WORDS]),
        NAMED,
    ),
    "top-5": (table(TOP5, ranked(5)), Interface()),
    "top-5 in blocks": (
        table([f"top{rank}" for rank in range(1, 6)] + [f"top{rank} prob" for rank in range(1, 6)],
              ranked(5, alternate=False)),
        Interface(),
    ),
    "top-5 by name": (table(["a", "b"] * 5, ranked(5, names=True)), NAMED),
    "top-5 without scores": (table([f"pred_{rank}" for rank in range(1, 6)], order(5)), Interface(kind="labels")),
    "top-5 with gaps": (
        table(TOP5, [[*row[:6], "", "", "", ""] for row in ranked(5, names=True)]),
        NAMED,
    ),
    "scores": (table(DIGITS, SCORES), Interface(kind="probabilities")),
    "scores, no header": (table([], SCORES), Interface(kind="probabilities")),
    "scores, decimal commas": (table(DIGITS, comma(SCORES), **EXCEL), Interface(kind="probabilities")),
    "scores, quoted decimal commas": (table(DIGITS, comma(SCORES)), Interface(kind="probabilities")),
    "scores, nine to zero": (table(DIGITS[::-1], SCORES[:, ::-1]), Interface(kind="probabilities")),
    "scores, p9 to p0": (
        table([f"p{label}" for label in DIGITS[::-1]], SCORES[:, ::-1]),
        Interface(kind="probabilities"),
    ),
    "scores, from one": (
        table([f"class_{label + 1}" for label in range(10)], SCORES),
        Interface(kind="probabilities"),
    ),
    "scores, names in another order": (
        table([CLASSES[label] for label in (3, 1, 0, 2, 9, 8, 7, 6, 5, 4)], SCORES[:, [3, 1, 0, 2, 9, 8, 7, 6, 5, 4]]),
        replace(NAMED, kind="probabilities"),
    ),
    "scores, another class among them": (
        table(["lamp", *(f"score {name}" for name in CLASSES)], np.column_stack([np.zeros(40), SCORES])),
        replace(NAMED, kind="probabilities"),
    ),
    "scores beside the label": (
        table(["prediction", *DIGITS], [[label, *row] for label, row in zip(LABELS, SCORES, strict=True)]),
        Interface(kind="probabilities"),
    ),
    "index of pandas, labels": (numbered(["digit"], PLAIN), Interface()),
    "index of pandas, top-1": (numbered(["label", "confidence"], ranked(1), heading="Unnamed: 0"), Interface()),
    "index of pandas, scores": (numbered(DIGITS, SCORES), Interface(kind="probabilities")),
    "index of pandas, scores by name": (numbered(CLASSES, SCORES, heading="index"), NAMED),
    "index of pandas, scores beside the label": (numbered(["label", *DIGITS], LABELLED), Interface()),
    "scores and milliseconds": (table([*DIGITS, "time_ms"], np.column_stack([SCORES, LATE])), Interface()),
    "scores by name and milliseconds": (table(["time_ms", *CLASSES], np.column_stack([LATE, SCORES])), NAMED),
    "scores beside the label and milliseconds": (
        table(["label", *DIGITS, "time_ms"], np.column_stack([LABELLED, LATE])),
        Interface(),
    ),
    "per cents and attempts": (table([*DIGITS, "attempt"], np.column_stack([HUNDRED, LATE])), Interface()),
    "labels, milliseconds, attempts": (
        table(["label", "time_ms", "attempt"], [[label, 12.5, 1] for label in LABELS]),
        Interface(),
    ),
    "numbers and names": (
        table(["class_id", "class_name", "confidence"],
              [[(row[0] == "cat") + 3, *row] for row in ranked(1, names=True)]),
        NAMED,
    ),
    "number and name, no confidence": (table(["label", "animal"], [[3, *row] for row in WORDS]), NAMED),
    "time and name": (table(["Zeitstempel", "Tier"], [["30.11. 10:00", *row] for row in WORDS]), NAMED),
    "what it shows": (table(["true label", "prediction"], [[0, label] for label in LABELS]), Interface()),
    "what it shows, last": (table(["answer", "Ground_Truth"], [[label, 0] for label in LABELS]), Interface()),
    "what it shows, scores": (table(["target", *DIGITS], [[0, *row] for row in SCORES]), Interface()),
    "target as the only label": (table(["target", "confidence"], ranked(1)), Interface()),
    "a title": ("Tabelle 1\r\n" + table(["label"], PLAIN, **EXCEL), Interface()),
    "a title, no header": ("Tabelle 1\r\n" + table([], PLAIN), Interface()),
    "a padded title": (
        "Mine" + "," * 10 + "\r\n" + table(DIGITS[::-1], SCORES[:, ::-1]),
        Interface(kind="probabilities"),
    ),
    "a comment": ("# by bob\r\n" + table(["label", "confidence"], comma(ranked(1)), **EXCEL), Interface()),
    "a sum": (table(["label", "confidence"], comma(ranked(1)), **EXCEL) + "Summe\r\n", Interface()),
    "remarks with semicolons": (table(["label", "remarks"], [[label, "odd; dark"] for label in LABELS]), Interface()),
    "empty columns": (table(["label", "", ""], [[label, "", ""] for label in LABELS]), Interface()),
    "empty columns, no header": (table([], [[label, "", ""] for label in LABELS]), Interface()),
    "logits in groups without decimals": (table(DIGITS, grouped(SCORES, ","), **EXCEL), Interface(kind="logits")),
    "logits in Swiss groups": (
        table(DIGITS, [[f"{1e4 * score - 5000:,.2f}".replace(",", "\N{RIGHT SINGLE QUOTATION MARK}") for score in row]
                       for row in SCORES], **EXCEL),
        Interface(kind="logits"),
    ),
    "logits in groups of points": (table(DIGITS, grouped(SCORES, "."), **EXCEL), Interface(kind="logits")),
    "logits with three decimals": (
        table(DIGITS, [[f"{score + 1:.3f}".replace(".", ",") for score in row] for row in SCORES], **EXCEL),
        Interface(kind="logits"),
    ),
    "percentages": (table(DIGITS, PERCENT, **EXCEL), Interface()),
    "percentages without the sign": (table(DIGITS, HUNDRED), Interface()),
    "logits": (table(DIGITS, (np.log(SCORES + 1e-9) * 10).round(2)), Interface(kind="logits")),
    "logits in groups": (
        table(DIGITS, [[f"{1e4 * score - 5000:,.2f}".replace(",", "x").replace(".", ",").replace("x", ".")
                        for score in row] for row in SCORES], **EXCEL),
        Interface(kind="logits"),
    ),
}  # fmt: skip
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16", "cp1252")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_way_to_write_them_down_says_the_same(tmp_path, form, encoding):
    text, how = FORMS[form]
    path = tmp_path / "answers.csv"
    path.write_bytes(text.encode(encoding))
    raw, declared = CsvSuspect(path).answers(IMAGES, how)
    answers = interpret(raw, declared, len(IMAGES), 10)
    assert answers.labels.tolist() == LABELS.tolist()
    if declared.kind == "probabilities":
        np.testing.assert_allclose(answers.probabilities, SCORES, atol=1e-4)


def test_a_part_of_the_images_may_be_asked_in_any_order(tmp_path):
    path = tmp_path / "answers.csv"
    path.write_text(FORMS["scores, nine to zero"][0])
    some = [7, 3, 39]
    raw, declared = CsvSuspect(path).answers(IMAGES[some], Interface(kind="probabilities"))
    assert interpret(raw, declared, 3, 10).labels.tolist() == LABELS[some].tolist()
    scores = CsvSuspect(path, output="probabilities")(IMAGES[some])
    np.testing.assert_array_equal(scores, SCORES[some].astype(np.float32))


def test_an_image_that_a_set_has_twice_may_have_two_lines(tmp_path):
    path = tmp_path / "answers.csv"
    images = IMAGES[[0, 1, 0]]
    names = [image_name(index, image) for index, image in enumerate(images)]
    path.write_text(table(["label"], [[4], [5], [4]], names=names))
    assert CsvSuspect(path, output="labels")(images).tolist() == [4, 5, 4]
    path.write_text(table(["label"], [[4], [5], [6]], names=names))
    with pytest.raises(SuspectError, match=r"expected one answer to .*, got several"):
        CsvSuspect(path, output="labels")(images)


@pytest.mark.parametrize(
    ("text", "how", "message"),
    [
        (table([*DIGITS[:9], "x"], SCORES), NAMED, "expected a column for 'plane' and each other class, once"),
        (table([*DIGITS[:9], "11"], SCORES), Interface(), "expected a column for each class, from 0 or 1 on without"),
        (table([*DIGITS[:9], "8"], SCORES), Interface(), "expected a column for each class, from 0 or 1 on without"),
        (table(DIGITS[2:], SCORES[:, 2:]), Interface(), "expected a column for each class, from 0 or 1 on without"),
        (
            table(DIGITS, [["0,5", "0.5", *row[2:]] for row in SCORES], **EXCEL),
            Interface(),
            "expected one decimal mark, got points in some numbers and commas in others",
        ),
        (table([], ranked(1)), Interface(), "expected one column beside the image, with the label, or a header"),
        (table(["label", "score"], [["", ""], *ranked(1)[1:]]), Interface(), r"expected an answer to .*an empty line"),
        (
            table(["label", "score"], [["", 0.5], *ranked(1)[1:]]),
            Interface(),
            r"expected a label for \*-.*png, got none",
        ),
        (table(["label", "score"], [[1, "sure"], *ranked(1)[1:]]), Interface(), r"expected a score for .*, got 'sure'"),
        (
            table([*DIGITS, "time_ms"], np.column_stack([SCORES * 9, LATE])),
            Interface(),
            "expected numbers in columns that are headed by a class alone, got 'time_ms' beside them",
        ),
        (
            table([*CLASSES, "time_ms"], np.column_stack([SCORES * 9, LATE])),
            NAMED,
            "expected numbers in columns that are headed by a class alone, got 'time_ms' beside them",
        ),
        (
            table(["label"], [["quarte" if word == "cat" else word] for (word,) in WORDS]),
            Interface(labels=(*CLASSES[:3], "quatre", *CLASSES[4:])),
            "expected names of classes as they are known, got 'quarte' where 'quatre' may be meant; correct them or "
            "save the table as UTF-8, or write other",
        ),
        (
            table(["label"], [[f"[{label}]"] for label in LABELS]),
            Interface(),
            rf"got '\[{LABELS[0]}\]'; write {LABELS[0]}$",
        ),
        (table(["label"], [[f"tensor({label})"] for label in LABELS]), NAMED, rf"got 'tensor.*; write {LABELS[0]}$"),
        (
            table(["scores"], [["[0.1 0.9]"]] * 40),
            Interface(),
            r"got '\[0.1 0.9\]'; write each number into a column of its own",
        ),
        (
            table(DIGITS, [["np.float64(0.5)", *row[1:]] for row in SCORES]),
            Interface(),
            r"expected a score for .*; write 0.5$",
        ),
        (
            table(["label", "prediction"], list(zip(SHOWN, LABELS, strict=True))),
            Interface(),
            "expected one column with the label, got 'label' and 'prediction', which differ; leave out what",
        ),
        (
            table(["label", "prediction", "confidence"], [(0, *row) for row in ranked(1)]),
            Interface(),
            "got 'label' and 'prediction', which differ",
        ),
        (
            table(
                ["class", "prediction"], [(CLASSES[shown], label) for shown, label in zip(SHOWN, LABELS, strict=True)]
            ),
            NAMED,
            "got 'class' and 'prediction', which differ",
        ),
        (
            table(["label", *TOP5], [("cat", *row) for row in ranked(5, names=True)]),
            NAMED,
            "got 'label' and '.*', which differ",
        ),
        (table(["label"], PLAIN, separator=" "), Interface(), "expected a comma, a semicolon or a tab between"),
        ("".join(f"{key}: 7\n" for key in KEYS), Interface(), "expected a comma, a semicolon or a tab between"),
    ],
)
def test_tables_that_may_mean_several_things_are_refused(tmp_path, text, how, message):
    path = tmp_path / "answers.csv"
    path.write_text(text)
    with pytest.raises(SuspectError, match=message):
        CsvSuspect(path).answers(IMAGES, how)


def written(tmp_path, text, encoding="utf-8"):
    path = tmp_path / "answers.csv"
    path.write_bytes(text.encode(encoding))
    return CsvSuspect(path)


def test_names_may_be_decomposed_as_macos_writes_them(tmp_path):
    text = unicodedata.normalize("NFD", FORMS["names"][0])
    raw, declared = written(tmp_path, text).answers(IMAGES, NAMED)
    assert interpret(raw, declared, len(IMAGES), 10).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("names", [(CLASSES, ()), (None, CLASSES)], ids=["stated", "the owner's"])
@pytest.mark.parametrize("encoding", ["mac_roman", "cp850"])
def test_names_in_another_encoding_are_no_other_classes(tmp_path, encoding, names):
    stated, own = names
    with pytest.raises(SuspectError, match=r"got 'tr.ger' where 'träger' may be meant; .* save the table as UTF-8"):
        written(tmp_path, FORMS["names"][0], encoding).answers(IMAGES, Interface(labels=stated), own)


@pytest.mark.parametrize(
    "word", ["lamp", "\N{CYRILLIC SMALL LETTER EM}\N{CYRILLIC SMALL LETTER A}", "class 10", "(a 7)"]
)
def test_names_that_are_like_none_are_other_classes(tmp_path, word):
    known = Interface(labels=(*CLASSES[:8], "\N{CYRILLIC SMALL LETTER KA}", "class 1"))
    raw, declared = written(tmp_path, table(["label"], [[word]] * 40)).answers(IMAGES, known)
    assert set(interpret(raw, declared, len(IMAGES), 10).labels) == {NO_CLASS}


SHUFFLED = [3, 1, 0, 2, 9, 8, 7, 6, 5, 4]


@pytest.mark.parametrize(
    "text",
    [
        FORMS["names"][0],
        FORMS["top-1 by name, no header"][0],
        table([CLASSES[label] for label in SHUFFLED], SCORES[:, SHUFFLED]),
        table(["time_ms", *(CLASSES[label] for label in SHUFFLED)], np.column_stack([LATE, SCORES[:, SHUFFLED]])),
        FORMS["labels"][0],
        FORMS["scores, nine to zero"][0],
    ],
)
def test_names_that_are_the_owners_need_not_be_stated(tmp_path, text):
    suspect = written(tmp_path, text)
    controls = Controls(IMAGES, LABELS.astype(np.int64), class_names=CLASSES)
    found = suspect.find(controls, 10)
    assert found.right == len(IMAGES)
    (raws,) = suspect.ask(IMAGES, [found.how])
    assert interpret(raws["answers"], found.how, len(IMAGES), 10).labels.tolist() == LABELS.tolist()


_WITH_OTHER = (*CLASSES[:9], "Other")


@pytest.mark.parametrize("mark", ["none of these", "None of these"])
@pytest.mark.parametrize("by_name", [True, False])
def test_a_class_that_is_called_other_is_one(tmp_path, by_name, mark):
    rows = [[_WITH_OTHER[label].upper() if by_name else label] for label in LABELS]
    rows[3] = [mark]
    expected = LABELS.copy()
    expected[3] = NO_CLASS
    suspect = written(tmp_path, table(["label"], rows))
    found = suspect.find(Controls(IMAGES, LABELS.astype(np.int64), class_names=_WITH_OTHER), 10)
    assert found.right == len(IMAGES) - 1
    (raws,) = suspect.ask(IMAGES, [found.how])
    assert interpret(raws["answers"], found.how, len(IMAGES), 10).labels.tolist() == expected.tolist()


@pytest.mark.parametrize("mark", ["other", "Other ", "none of these"])
def test_an_answer_may_be_none_of_the_classes(tmp_path, mark):
    rows = [[word] for (word,) in WORDS]
    rows[3] = [mark]
    raw, declared = written(tmp_path, table(["label"], rows)).answers(IMAGES, NAMED)
    labels = interpret(raw, declared, len(IMAGES), 10).labels
    assert (labels == NO_CLASS).nonzero()[0].tolist() == [3]


def test_names_of_which_some_are_not_the_owners_have_to_be_stated(tmp_path):
    text = table(["label"], [[word.replace("cat", "lamp")] for (word,) in WORDS])
    with pytest.raises(SuspectError, match="; say with labels which names there are"):
        written(tmp_path, text).answers(IMAGES, Interface(), CLASSES)


@pytest.mark.parametrize("stated", [NAMED, Interface()], ids=["stated", "the owner's"])
@pytest.mark.parametrize("word", ["NaN", "NA", "#N/A", "#NAME?", "None", "-", "Error: timed out", "7"])
def test_no_answer_is_no_class_of_somebody_elses(tmp_path, word, stated):
    text = table(["label"], [*WORDS[:-1], [word]])
    with pytest.raises(SuspectError, match=rf"expected the name of a class .*got '{re.escape(word)}'; ask again"):
        written(tmp_path, text).answers(IMAGES, stated, CLASSES)


def test_the_best_three_without_scores_are_labels(tmp_path):
    rows = [[label, (label + 1) % 10, (label + 2) % 10] for label in LABELS]
    suspect = written(tmp_path, table(["top 1", "top 2", "top 3"], rows))
    raw, declared = suspect.answers(IMAGES, Interface(), CLASSES)
    assert interpret(raw, declared, len(IMAGES), 10).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_byte_order_mark(tmp_path, encoding):
    raw, declared = written(tmp_path, FORMS["names"][0], encoding).answers(IMAGES, NAMED)
    assert interpret(raw, declared, len(IMAGES), 10).labels.tolist() == LABELS.tolist()


def test_what_columns_hold_does_not_hang_on_the_images_that_are_asked(tmp_path):
    """Controls come first and by themselves; what they show has to hold for the rest."""
    rows = [["other"], *PLAIN[1:]]
    suspect = written(tmp_path, table(["label"], rows))
    found = suspect.find(Controls(IMAGES[1:], LABELS[1:].astype(np.int64)), 10)
    (raws,) = suspect.ask(IMAGES, [found.how])
    answered = interpret(raws["answers"], found.how, len(IMAGES), 10).labels
    assert answered.tolist() == [NO_CLASS, *LABELS[1:]]
    grouped_text = table(DIGITS, [["1,234", "12", *["2,345"] * 8], *[["1,234"] * 10] * 39], **EXCEL)
    whole, _ = written(tmp_path, grouped_text).answers(IMAGES, Interface(kind="logits"))
    part, _ = written(tmp_path, grouped_text).answers(IMAGES[1:], Interface(kind="logits"))
    assert whole[1].tolist() == part[0].tolist() == [1234] * 10

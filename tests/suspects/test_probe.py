"""The search for how a suspect wants to be asked: rare ways of scaling pixels, where the usual ones do poorly."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from nf.core.controls import Controls
from nf.core.errors import NoVerdictError, SuspectError
from nf.core.interface import PRESETS, Interface, Kind
from nf.suspects.forms import rare_scales
from nf.suspects.interpret import Raw
from nf.suspects.probe import Ask, all_ways, find

COLOUR, GREY = (3, 4, 4), (1, 4, 4)


def scale(how: Interface) -> tuple[object, ...]:
    return how.range, how.mean, how.std


RARE = {scale(way) for way in rare_scales(Interface(), COLOUR, Interface())}


@pytest.fixture
def controls() -> Controls:
    """Forty images whose first pixel is their number, of four classes."""
    images = np.zeros((40, *COLOUR), np.uint8)
    images[:, 0, 0, 0] = np.arange(40)
    return Controls(images, np.arange(40) % 4)


def suspect(right: Callable[[Interface], int]) -> tuple[Ask, list[Interface]]:
    """One that answers so many of the controls rightly, by how it is asked, and a list of how it was."""
    asked = []

    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        asked.append(how)
        numbers = images[:, 0, 0, 0].astype(np.int64)
        wrong = numbers * 7 % 40 >= right(how)  # spread over all, so that a few tell
        return {"labels": (numbers + wrong) % 4}

    return ask, asked


@pytest.mark.parametrize("wanted", sorted(RARE, key=str), ids=str)
def test_a_rare_scale_is_found_where_it_is_clearly_better(controls: Controls, wanted: tuple[object, ...]) -> None:
    ask, _ = suspect(lambda how: 38 if scale(how) == wanted else 28)
    found = find(ask, all_ways([Interface()], controls, Interface()), controls, 4, Interface())
    assert (scale(found.how), found.right, found.rivals) == (wanted, 38, ())


def test_a_rare_scale_that_is_hardly_better_is_neither_taken_nor_a_rival(controls: Controls) -> None:
    ask, asked = suspect(lambda how: 31 if scale(how) in RARE else 28 if how.range == (-1, 1) else 20)
    found = find(ask, all_ways([Interface()], controls, Interface()), controls, 4, Interface())
    assert (found.how.range, found.right, found.rivals) == ((-1, 1), 28, ())
    assert set(map(scale, asked)) > RARE


def test_rare_scales_are_not_tried_where_a_usual_one_does_well_or_is_stated(controls: Controls) -> None:
    for right, stated in ((36, Interface()), (28, PRESETS["unit"])):
        ask, asked = suspect(lambda how, right=right: right)  # type: ignore[misc]
        find(ask, all_ways([stated], controls, stated), controls, 4, stated)
        assert not RARE & set(map(scale, asked))
    assert rare_scales(Interface(dtype="uint8"), COLOUR, Interface()) == []


def test_who_sees_no_numbers_is_asked_once_however_few_it_gets_right(controls: Controls) -> None:
    """A table, or a server that is sent images as files: scales mean nothing to it, and each question may cost."""
    ask, asked = suspect(lambda how: 28)
    found = find(ask, [Interface()], controls, 4, Interface())
    assert (found.right, found.tried) == (28, 1)
    assert len(asked) == 3  # and each image once more in two halves, for whether it answers alike


def test_answers_that_depend_on_the_other_images_show_though_each_is_asked_but_twice(controls: Controls) -> None:
    """As those of a network that normalises by the batch: in the same company they are the same in any order."""
    asked = []

    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        asked.extend(numbers.tolist())
        return {"labels": (numbers + (np.ptp(numbers % 2) == 0)) % 4}

    with pytest.raises(NoVerdictError, match=r"it answers 100% of the control images otherwise when asked again, amo"):
        find(ask, [Interface()], controls, 4, Interface())
    assert sorted(asked) == sorted([*range(40)] * 2)


@pytest.mark.parametrize(
    ("stated", "of_four", "why"),
    [
        (None, [np.nan, 1, 2, 3], "expected finite logits for every image, got NaN or infinity for 40 of 40"),
        (None, [np.inf, 1, 2, 3], "expected finite logits for every image, got NaN or infinity for 40 of 40"),
        (
            "probabilities",
            [-3, 1, 2, 3],
            r"expected probabilities in \[0, 1\], got -3 to 3; if these are logits, say so",
        ),
        ("labels", [0.5, 1, 2, 3], r"expected integer labels of shape \(40,\), got float32 of shape \(40, 4\)"),
        ("names", [0.5, 1, 2, 3], r"expected names, got float32 of shape \(40, 4\)"),
        ("top-k", [0.5, 1, 2, 3], r"expected top-k, got float32 of shape \(40, 4\)"),
    ],
)
def test_why_answers_cannot_be_read_is_told(
    controls: Controls, stated: Kind | None, of_four: list[float], why: str
) -> None:
    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        return {"y": np.tile(np.array(of_four, np.float32), (len(images), 1))}

    how = Interface(kind=stated)
    with pytest.raises(SuspectError, match=rf"got 'y' of float32 and shape \(N, 4\) \({why}\)"):
        find(ask, [how], controls, 4, how)


@pytest.mark.parametrize(("missed", "rivals"), [(1, ("second",)), (0, ("second",)), (20, ())])
def test_another_output_that_does_as_well_is_a_rival_also_where_the_controls_agree(
    controls: Controls, missed: int, rivals: tuple[str, ...]
) -> None:
    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        known = {"first": numbers % 4, "second": (numbers + (numbers >= 40 - missed)) % 4}
        return {name: np.eye(4, dtype=np.float32)[labels] for name, labels in known.items()}

    found = find(ask, all_ways([Interface()], controls, Interface()), controls, 4, Interface())
    assert (found.how.output_name, found.right) == ("first", 40)
    assert tuple(how.output_name for how in found.rivals) == rivals


@pytest.mark.parametrize("order", [("aux", "logits"), ("logits", "aux")])
def test_of_several_outputs_that_which_is_stated_counts_also_when_it_is_asked_again(
    controls: Controls, order: tuple[str, str]
) -> None:
    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        known = {"logits": np.eye(4)[numbers % 4], "aux": np.eye(4)[(numbers + (numbers % 5 == 0)) % 4]}
        return {name: known[name].astype(np.float32) for name in order}

    found = find(ask, [Interface()], controls, 4, Interface())
    assert (found.how.output_name, found.right) == ("logits", 40)
    for stated in ("aux", order.index("aux")):
        how = Interface(output_name=stated)
        found = find(ask, [how], controls, 4, how)
        assert (found.how.output_name, found.right) == (stated, 32)
    nowhere = Interface(output_name="scores")
    with pytest.raises(SuspectError, match="expected the output 'scores', got "):
        find(ask, [nowhere], controls, 4, nowhere)


def test_classes_in_the_order_of_their_names_as_text_are_found_also_where_there_are_many() -> None:
    """As torchvision reads folders of numbers: 0, 1, 10, 11, ..., 2, 20."""
    names = tuple(map(str, range(60)))
    images = np.zeros((64, *COLOUR), np.uint8)
    images[:, 0, 0, 0] = np.arange(64)
    many = Controls(images, np.arange(64) % 60, names)
    as_text = sorted(names)

    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        return {"labels": np.array([as_text.index(str(number % 60)) for number in images[:, 0, 0, 0]])}

    found = find(ask, [Interface()], many, 60, Interface())
    assert (found.right, found.how.classes) == (64, tuple(map(int, as_text)))


def _in_order(order: list[int], right: int) -> Ask:
    """A suspect with its classes in another order, whose ``right`` answers are spread over all classes."""

    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        own = (numbers + (numbers * 7 % 64 >= right)) % 8
        return {"scores": np.eye(8, dtype=np.float32)[np.array(order)[own]]}

    return ask


@pytest.fixture
def eight() -> Controls:
    """Sixty-four images whose first pixel is their number, of eight classes."""
    images = np.zeros((64, *COLOUR), np.uint8)
    images[:, 0, 0, 0] = np.arange(64)
    return Controls(images, np.arange(64) % 8)


@pytest.mark.parametrize("right", [64, 56, 48])
def test_a_few_classes_in_each_others_place_are_found_though_enough_control_images_are_right(
    eight: Controls, right: int
) -> None:
    for order in ([0, 5, 2, 3, 4, 1, 6, 7], [2, 0, 1, 3, 4, 5, 6, 7]):
        found = find(_in_order(order, right), [Interface()], eight, 8, Interface())
        assert found.right == right
        assert found.how.classes == tuple(np.argsort(order).tolist())


def test_an_order_of_classes_that_is_hardly_better_or_stated_is_left(eight: Controls) -> None:
    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        return {"labels": np.where((numbers % 8 < 2) & (numbers < 40), 1 - numbers % 8, numbers % 8)}

    found = find(ask, [Interface()], eight, 8, Interface())
    assert (found.right, found.how.classes) == (54, None)  # 58 with two in each other's place
    stated = Interface(offset=0)
    found = find(_in_order([1, 0, *range(2, 8)], 64), [stated], eight, 8, stated)
    assert (found.right, found.how.classes) == (48, None)


def test_a_way_of_asking_that_does_as_well_in_another_order_stays_a_rival(eight: Controls) -> None:
    def ask(images: NDArray[np.uint8], how: Interface) -> dict[str, Raw]:
        numbers = images[:, 0, 0, 0].astype(np.int64)
        own = np.where((how.range == (0, 255)) & (numbers == 9), 0, numbers % 8)
        return {"labels": np.array([0, 5, 2, 3, 4, 1, 6, 7])[own]}

    ways = [Interface(range=(0, 1)), Interface(range=(0, 255))]
    found = find(ask, ways, eight, 8, Interface())
    assert (found.right, found.how.range) == (64, (0, 1))
    assert [(rival.range, rival.classes) for rival in found.rivals] == [((0, 255), found.how.classes)]


def test_rare_scales_for_grey_images_have_one_number() -> None:
    grey = rare_scales(Interface(), GREY, Interface())
    assert {len(values) for way in grey for values in (way.mean, way.std) if values} == {1}


@pytest.mark.parametrize(
    ("source", "right", "judged"), [(None, 23, False), (0.95, 23, False), (0.7, 23, True), (0.7, 22, False)]
)
def test_where_the_source_gets_few_right_a_suspect_may_too(
    controls: Controls, source: float | None, right: int, judged: bool
) -> None:
    """Four fifths of what the source gets, and never more than 60 %."""
    known = replace(controls, source_accuracy=source)
    ask, _ = suspect(lambda how: right)
    ways = all_ways([PRESETS["unit"]], known, PRESETS["unit"])
    if judged:
        assert find(ask, ways, known, 4, PRESETS["unit"]).right == right
    else:
        with pytest.raises(NoVerdictError, match=f"it gets {right} of 40 control images right .* fewer than"):
            find(ask, ways, known, 4, PRESETS["unit"])

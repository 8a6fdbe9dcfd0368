import pytest
import torch

from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel


def numbered(count: int) -> Candidates:
    index = torch.arange(count)
    return Candidates(index[:, None].float(), index, index + 1, index + 2)


@pytest.mark.parametrize(("count", "size", "sizes"), [(10, 4, [4, 3, 3]), (8, 4, [4, 4]), (3, 80, [3]), (1, 1, [1])])
def test_parts_are_as_equal_as_can_be_and_in_order(count, size, sizes):
    parts = numbered(count).split(size)
    assert [len(part) for part in parts] == sizes
    assert torch.cat([part.latents for part in parts]).squeeze(1).tolist() == list(range(count))


def test_selection_keeps_what_belongs_together():
    chosen = numbered(5).select(torch.tensor([True, False, False, True, False]))
    assert chosen.latents.squeeze(1).tolist() == [0, 3]
    assert chosen.classes.tolist() == [0, 3]
    assert chosen.positive_labels.tolist() == [1, 4]
    assert chosen.negative_labels.tolist() == [2, 5]


def test_funnel_sums_rounds_and_finds_the_test_where_the_largest_share_fell():
    funnel = Funnel()
    for passed in (100, 50, 40, 4, 3), (100, 60, 50, 6, 6):
        for test, count in zip(("drawn", "unanimous", "labelled", "optimised", "uint8"), passed, strict=True):
            funnel.add(test, count)
    assert str(funnel) == "drawn 200, unanimous 110, labelled 90, optimised 10, uint8 9"
    assert funnel.worst(but="shortlisted") == "optimised"
    assert funnel.worst(but="optimised") == "unanimous"
    assert funnel.last() == 9


@pytest.mark.parametrize(
    ("counts", "worst"),
    [
        ({"drawn": 10, "unanimous": 0, "labelled": 0}, "unanimous"),
        ({"drawn": 80, "unanimous": 73, "labelled": 52, "optimised": 1, "uint8": 1, "translate": 0}, "optimised"),
    ],
)
def test_a_test_that_hardly_anybody_came_to_is_not_the_worst(counts, worst):
    assert Funnel(counts).worst(but="shortlisted") == worst

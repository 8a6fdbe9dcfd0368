import pytest
import torch

from nf.fingerprints.base import at_most
from nf.fingerprints.naturalfinger.candidates import Candidates, Funnel
from nf.fingerprints.naturalfinger.choose import Survivors, choose, margin_snr


def survivors(snr, labels):
    """One survivor for each signal-to-noise ratio of its positives; that of its negatives is higher."""
    mean = torch.tensor(snr)
    margins = torch.stack([mean - 1, mean + 1])[:, None]  # two views, one model: standard deviation 1
    index = torch.arange(len(mean))
    candidates = Candidates(index[:, None].float(), index, torch.tensor(labels), 9 - torch.tensor(labels))
    return Survivors(index.to(torch.uint8).reshape(-1, 1, 1, 1), candidates, margins, margins + 1)


def chosen(draft):
    return draft.images.flatten().tolist()


def test_margin_snr_is_the_mean_over_the_standard_deviation():
    margins = torch.tensor([[[1.0, 4.0], [3.0, 4.5]]])
    assert margin_snr(margins).tolist() == pytest.approx([2.0, 17.0])


def test_the_less_sure_pool_ranks_a_survivor_and_the_highest_are_taken():
    rounds = [survivors([3.0, 9.0, 5.0], [1, 1, 1])]
    draft = choose(rounds, 2, pair_share=1.0, funnel=Funnel({"uint8": 3}))
    assert chosen(draft) == [1, 2]
    assert (draft.labels.tolist(), draft.negative_labels.tolist()) == ([1, 1], [8, 8])
    assert draft.notes == {"funnel": [["uint8", 3]]}


def test_rounds_are_ranked_together():
    first, second = survivors([3.0, 4.0], [1, 1]), survivors([9.0, 2.0], [2, 2])
    draft = choose([first, second], 2, pair_share=1.0, funnel=Funnel())
    assert sorted(draft.labels.tolist()) == [1, 2]


def test_a_pair_gives_its_share_and_the_pairs_take_turns():
    rounds = [survivors([9.0, 8.0, 7.0, 3.0, 2.0], [1, 1, 1, 2, 2])]
    assert chosen(choose(rounds, 4, pair_share=0.5, funnel=Funnel())) == [0, 3, 1, 4]
    assert chosen(choose(rounds, 4, pair_share=1.0, funnel=Funnel())) == [0, 3, 1, 2]


def test_another_ranking_takes_others():
    rounds = [survivors([3.0, 9.0, 5.0], [1, 1, 1])]
    draft = choose(rounds, 1, pair_share=1.0, ranking=lambda margins: -margins.mean((0, 1)), funnel=Funnel())
    assert chosen(draft) == [0]


@pytest.mark.parametrize(("share", "queries", "most"), [(0.07, 100, 7), (0.1, 100, 10), (0.1, 5, 1), (0.101, 100, 11)])
def test_a_share_of_the_queries_is_rounded_up_once(share, queries, most):
    assert at_most(share, queries) == most

import pytest
import torch
from torch import nn

from nf.fingerprints import NaturalFingerConfig
from nf.fingerprints.base import Task
from nf.fingerprints.naturalfinger.candidates import Funnel, round_robin_by_pair
from nf.fingerprints.naturalfinger.select import adversarial_labels, random_labels, select
from nf.models import agreement_mask

IMAGES = torch.full((1, 1, 2, 2), 0.5)


def linear(*rows: list[float]) -> nn.Module:
    """Logits are the dot products of the four pixels with the rows."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(4, len(rows), bias=False))
    network[1].weight.data = torch.tensor(rows)
    return network.eval()


def test_the_agreement_mask_is_the_agreement_of_all(models, digits):
    images = digits.images[:300].float() / 255
    agreed, labels = agreement_mask(models.positives, images)
    with torch.no_grad():
        answers = torch.stack([model(images).argmax(dim=1) for model in models.positives])
    expected = [len(set(column)) == 1 for column in answers.T.tolist()]
    assert agreed.tolist() == expected
    assert 0 < sum(expected) < 300
    assert torch.equal(labels[agreed], answers[0, agreed])


def test_label_follows_from_each_models_own_step():
    # The step goes up for pixels that speak for class 1 or 2 against class 0, and so ends in that class.
    to_one = linear([1.0, 1, 0, 0], [0.0, 0, 0.9, 0.9], [-9.0, 0, 0, 0])
    to_two = linear([1.0, 1, 0, 0], [-9.0, 0, 0, 0], [0.0, 0, 0.9, 0.9])
    label = torch.tensor([0])
    step = {"epsilon": 0.1, "num_classes": 3}
    assert adversarial_labels([to_one, to_one, to_two], IMAGES, label, **step).tolist() == [1]
    assert adversarial_labels([to_one, to_two, to_two], IMAGES, label, **step).tolist() == [2]
    assert adversarial_labels([to_one, to_two], IMAGES, label, **step).tolist() == [1]


def test_a_step_too_short_leaves_the_label():
    network = linear([1.0, 1, 0, 0], [0.0, 0, 0.9, 0.9])
    assert adversarial_labels([network], IMAGES, torch.tensor([0]), epsilon=1e-3, num_classes=2).tolist() == [0]


def test_labels_do_not_depend_on_the_batch_size(models, digits):
    images, labels = digits.images[:50].float() / 255, digits.labels[:50]
    results = [
        adversarial_labels(models.negatives, images, labels, epsilon=8 / 255, num_classes=10, batch_size=size)
        for size in (7, 50)
    ]
    assert torch.equal(*results)


@pytest.mark.parametrize("classes", [2, 10])
def test_random_labels_are_uniform_over_the_other_classes(classes):
    labels = torch.arange(classes).repeat(900)
    drawn = random_labels(labels, num_classes=classes, generator=torch.Generator().manual_seed(0))
    assert not (drawn == labels).any()
    counts = torch.bincount(drawn[labels == 0], minlength=classes)[1:]
    assert counts.min() > 0.7 * 900 / (classes - 1)


@pytest.mark.parametrize("each", [1, 3])
def test_label_pairs_take_turns_and_the_best_of_each_goes_first(each):
    rng = torch.Generator().manual_seed(0)
    losses, pairs = torch.rand(60, generator=rng), torch.randint(3, (60, 2), generator=rng)
    queues = {}
    for index in losses.argsort().tolist():
        queues.setdefault(tuple(pairs[index].tolist()), []).append(index)
    expected = []
    while any(queues.values()):
        turn = [queue.pop(0) for queue in queues.values() for _ in range(each) if queue]
        expected += sorted(turn, key=lambda index: losses[index])
    for count in (1, 8, 25, 60, 100):
        assert round_robin_by_pair(losses, pairs, count, each=each).tolist() == expected[:count]


@pytest.mark.parametrize(
    ("label", "own", "other"), [("negative", "negatives", "positives"), ("positive", "positives", "negatives")]
)
def test_second_labels_come_from_the_pool_that_the_setting_names(models, digits, gan, label, own, other):
    config = NaturalFingerConfig(candidates=80, label=label, epsilon=0.1)
    task = Task(models, digits, gan, 10, 0, None)
    chosen = select(task, models, config, seed=3, funnel=Funnel())
    images = gan.generate_in_batches(chosen.latents, chosen.classes, 80)

    def labels_by(pool):
        return adversarial_labels(getattr(models, pool), images, chosen.positive_labels, epsilon=0.1, num_classes=10)

    assert len(chosen) > 10
    assert torch.equal(chosen.negative_labels, labels_by(own))
    assert not torch.equal(chosen.negative_labels, labels_by(other))

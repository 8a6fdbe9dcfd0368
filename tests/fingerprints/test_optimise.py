from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from nf.fingerprints import NaturalFingerConfig
from nf.fingerprints.naturalfinger.candidates import Candidates
from nf.fingerprints.naturalfinger.optimise import optimise, round_straight_through
from nf.models.inference import freeze

PLAIN = NaturalFingerConfig(epochs=1, momentum=0.0, transforms=("identity",), discriminator="none")


class LinearGenerator(nn.Module):
    """z is the first pixels of the image, which is 0 elsewhere; the images are in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, z: Tensor, labels: Tensor) -> Tensor:
        pixels = torch.zeros(len(z), 256).index_add(1, torch.arange(z.shape[1]), z * self.scale)
        return (2 * pixels - 1).reshape(-1, 1, 16, 16)


class LinearNetwork(nn.Module):
    def __init__(self, seed: int) -> None:
        super().__init__()
        self.linear = nn.Linear(256, 4)
        self.linear.weight.data = torch.randn(4, 256, generator=torch.Generator().manual_seed(seed))
        self.calls = 0

    def forward(self, images: Tensor) -> Tensor:
        self.calls += 1
        return self.linear(images.flatten(1))


@pytest.fixture
def start(gan) -> Candidates:
    latents, classes = gan.sample_latents(24, torch.Generator().manual_seed(7))
    return Candidates(latents, classes, classes, (classes + 3) % 10)


def linear_models(models, positives: int, negatives: int):
    pools = [tuple(LinearNetwork(i).eval() for i in range(n)) for n in (positives, negatives)]
    ids = [tuple(f"{role}{i}" for i in range(n)) for role, n in (("p", positives), ("n", negatives))]
    return type(models)(pools[0][0], *pools, *ids)


def test_one_update_by_hand(models, make_gan):
    gan = make_gan(LinearGenerator(), nn.Linear(1, 1), 3)
    linear = linear_models(models, 1, 1)
    latents = torch.tensor([[0.2, 0.5, 0.9]])
    start = Candidates(latents, torch.tensor([0]), torch.tensor([1]), torch.tensor([2]))
    moved = optimise(start, gan, linear, replace(PLAIN, learning_rate=0.8), seed=0)
    expected = torch.zeros(3)
    for network, target in ((linear.positives[0], 1), (linear.negatives[0], 2)):
        weight, bias = network.linear.weight.detach()[:, :3], network.linear.bias.detach()
        logits = weight @ latents[0] + bias
        rival = max((i for i in range(4) if i != target), key=lambda i: logits[i])
        expected += weight[rival] - weight[target]
    torch.testing.assert_close(moved[0], latents[0] - 0.8 / 80 * expected)


def test_updates_are_those_of_torchs_nesterov_sgd(models, make_gan):
    gan = make_gan(LinearGenerator(), nn.Linear(1, 1), 3)
    linear = linear_models(models, 1, 1)
    start = Candidates(torch.zeros(1, 3), torch.tensor([0]), torch.tensor([1]), torch.tensor([2]))
    # So small a rate changes no rival, hence every gradient is that of the first update.
    config = replace(PLAIN, learning_rate=1e-3)
    gradient = -optimise(start, gan, linear, config, seed=0) / (1e-3 / 80)
    moved = optimise(start, gan, linear, replace(config, momentum=0.9, epochs=5), seed=0)
    expected = torch.zeros(1, 3)
    optimizer = torch.optim.SGD([expected], lr=1e-3 / 80, momentum=0.9, nesterov=True)
    for _ in range(5):
        expected.grad = gradient
        optimizer.step()
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize(("positives", "negatives", "chunk", "updates"), [(8, 8, 4, 2), (3, 3, 4, 1), (6, 6, 2, 3)])
def test_an_epoch_asks_every_model_once(models, make_gan, positives, negatives, chunk, updates):
    gan = make_gan(LinearGenerator(), nn.Linear(1, 1), 3)
    linear = linear_models(models, positives, negatives)
    start = Candidates(torch.zeros(2, 3), *(torch.tensor([0, 1]),) * 2, torch.tensor([2, 3]))
    reports: list[tuple[int, int]] = []
    optimise(
        start, gan, linear, replace(PLAIN, chunk=chunk, epochs=3), seed=0, progress=lambda *step: reports.append(step)
    )
    assert {model.calls for model in linear.positives + linear.negatives} == {3}
    assert reports == [(i + 1, 3 * updates) for i in range(3 * updates)]


def test_a_smaller_pool_starts_over(models, make_gan):
    gan = make_gan(LinearGenerator(), nn.Linear(1, 1), 3)
    linear = linear_models(models, 8, 4)
    start = Candidates(torch.zeros(2, 3), *(torch.tensor([0, 1]),) * 2, torch.tensor([2, 3]))
    optimise(start, gan, linear, PLAIN, seed=0)
    assert [model.calls for model in linear.positives + linear.negatives] == [1] * 8 + [2] * 4


def test_the_batch_size_changes_the_speed_and_nothing_else(models, gan, start):
    frozen = models.map(freeze)
    config = NaturalFingerConfig(epochs=6, learning_rate=5.0, transforms=("identity", "noise", "translate", "shear"))
    results = [optimise(start, gan, frozen, replace(config, batch_size=size), seed=3) for size in (24, 5)]
    assert (results[0] - start.latents).abs().mean() > 0.01
    torch.testing.assert_close(*results, atol=1e-3, rtol=1e-3)


def test_same_seed_same_latents_and_weights_stay(models, gan, start):
    frozen = models.map(freeze)
    config = NaturalFingerConfig(epochs=3)
    before = [weight.clone() for weight in frozen.positives[0].parameters()]
    latents = start.latents.clone()
    once, again, other = (optimise(start, gan, frozen, config, seed=seed) for seed in (3, 3, 4))
    assert torch.equal(once, again)
    assert not torch.equal(once, other)
    assert torch.equal(start.latents, latents)
    assert all(torch.equal(a, b) for a, b in zip(before, frozen.positives[0].parameters(), strict=True))


def test_the_loss_falls(models, gan, start):
    frozen = models.map(freeze)
    moved = optimise(start, gan, frozen, replace(PLAIN, epochs=60, learning_rate=5.0, momentum=0.9), seed=0)

    def right(latents: Tensor) -> float:
        images = gan.generate(latents, start.classes)
        pairs = [(m, start.positive_labels) for m in frozen.positives]
        pairs += [(m, start.negative_labels) for m in frozen.negatives]
        return float(torch.stack([model(images).argmax(dim=1) == y for model, y in pairs]).float().mean())

    assert right(start.latents) < 0.6
    assert right(moved) > 0.9


def test_published_sign_makes_images_look_fake_and_corrected_real(models, gan, start):
    frozen = models.map(freeze)

    def realness(sign: str) -> float:
        config = replace(PLAIN, epochs=10, learning_rate=8.0, discriminator=sign, discriminator_weight=5.0)
        latents = optimise(start, gan, frozen, config, seed=0)
        return float(gan.discriminate(gan.generate(latents, start.classes), start.classes).mean())

    published, without, corrected = map(realness, ("published", "none", "corrected"))
    assert published < without - 0.1
    assert corrected > without + 0.1


def test_rounding_gives_stored_values_and_passes_the_gradient():
    images = torch.tensor([0.1, 0.5001, 0.9999], requires_grad=True)
    rounded = round_straight_through(images)
    torch.testing.assert_close(rounded * 255, torch.tensor([26.0, 128.0, 255.0]))
    rounded.sum().backward()
    assert images.grad is not None
    assert images.grad.tolist() == [1.0, 1.0, 1.0]


def test_rounding_changes_the_course(models, gan, start):
    frozen = models.map(freeze)
    results = [
        optimise(start, gan, frozen, replace(PLAIN, epochs=5, straight_through_rounding=on), seed=0)
        for on in (False, True)
    ]
    assert not torch.equal(*results)

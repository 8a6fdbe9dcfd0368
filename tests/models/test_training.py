import json

import pytest
import torch
from torch.nn import functional

from nf.core.config import TrainingConfig
from nf.core.errors import ArtifactError, TrainingError
from nf.core.files import write_sealed
from nf.data import Augment, to_float
from nf.models import accuracy, build_classifier, fit, is_current, load_model, load_weights, predict, save_model

BUILD = {"architecture": "resnet18", "width": 0.0625, "in_channels": 1, "num_classes": 10, "mean": [0.3], "std": [0.3]}


def test_a_narrow_network_learns_digits(victims, splits):
    images, labels = (torch.from_numpy(a) for a in (splits["test"].images, splits["test"].labels))
    assert accuracy(victims["source"], images, labels) > 0.9


def test_same_seed_same_weights_another_seed_others(splits):
    images, labels = (torch.from_numpy(a[:128]) for a in (splits["A"].images, splits["A"].labels))

    def trained(seed):
        model = build_classifier(**BUILD, seed=0)
        fit(model, images, labels, TrainingConfig(1, 32, 0.1), seed=seed, augment=Augment(2, True))
        return model.classifier.weight

    assert torch.equal(trained(1), trained(1))
    assert not torch.equal(trained(1), trained(2))


def test_training_on_a_cpu_seeds_no_gpu(splits, monkeypatch):
    """The fence around the global generator covers the device of the training alone."""
    monkeypatch.setattr(torch.cuda, "manual_seed_all", lambda _: pytest.fail("seeded every GPU"))
    monkeypatch.setattr(torch.cuda, "manual_seed", lambda _: pytest.fail("seeded a GPU"))
    images, labels = (torch.from_numpy(a[:32]) for a in (splits["A"].images, splits["A"].labels))
    before = torch.get_rng_state()
    fit(build_classifier(**BUILD, seed=0), images, labels, TrainingConfig(1, 32, 0.1), seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_every_image_is_used_once_an_epoch(splits):
    batches = []
    images = torch.from_numpy(splits["A"].images[:70])

    def objective(model, batch, targets):
        batches.append(targets)
        return model(batch).square().mean()

    fit(
        build_classifier(**BUILD, seed=0),
        images,
        torch.arange(70),
        TrainingConfig(2, 32, 0.1),
        seed=0,
        objective=objective,
    )
    assert [len(part) for part in batches] == [24, 23, 23] * 2
    assert torch.equal(torch.cat(batches[:3]).sort().values, torch.arange(70))
    assert not torch.equal(torch.cat(batches[:3]), torch.cat(batches[3:]))


def test_updates_are_those_of_a_plain_loop(splits):
    """SGD with Nesterov momentum by hand: v = mu v + g, w -= rate (g + mu v); only filters and matrices decay."""
    images, labels = (torch.from_numpy(a[:16]) for a in (splits["A"].images, splits["A"].labels))
    rate, decay, momentum = 0.01, 0.1, 0.9
    model, expected = (build_classifier(**BUILD, seed=0) for _ in range(2))
    fit(model, images, labels, TrainingConfig(4, 16, rate, decay, momentum, "constant"), seed=0)
    weights = list(expected.train().parameters())
    velocities = [torch.zeros_like(weight) for weight in weights]
    for _ in range(4):  # all images are one batch, whose order is no matter
        loss = functional.cross_entropy(expected(to_float(images)), labels)
        gradients = torch.autograd.grad(loss, weights)
        with torch.no_grad():
            for weight, gradient, velocity in zip(weights, gradients, velocities, strict=True):
                slope = gradient + decay * weight if weight.ndim > 1 else gradient
                velocity.mul_(momentum).add_(slope)
                weight -= rate * (slope + momentum * velocity)
    for ours, theirs in zip(model.parameters(), weights, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("updates", [1, 2, 3, 4])
def test_a_handful_of_updates_is_a_schedule_too(splits, updates):
    images, labels = (torch.from_numpy(a[: 16 * updates]) for a in (splits["A"].images, splits["A"].labels))
    model = build_classifier(**BUILD, seed=0)
    before = model.classifier.weight.detach().clone()
    fit(model, images, labels, TrainingConfig(1, 16, 0.1), seed=0)
    assert not torch.equal(model.classifier.weight, before)


def test_divergence_is_named(splits):
    images, labels = (torch.from_numpy(a[:64]) for a in (splits["A"].images, splits["A"].labels))
    with pytest.raises(TrainingError, match=r"the loss is .* after 3 epochs: lower the learning rate \(now 1e\+20\)"):
        fit(build_classifier(**BUILD, seed=0), images, labels, TrainingConfig(3, 32, 1e20), seed=0)


def test_prediction_does_not_depend_on_the_batch_size(victims, splits):
    images = torch.from_numpy(splits["test"].images[:50])
    torch.testing.assert_close(
        predict(victims["source"], images, batch_size=7), predict(victims["source"], images), rtol=0, atol=1e-5
    )


def test_prediction_is_in_eval_mode(splits):
    """An image's logits hang on itself and not on the batch, in whatever mode the model comes."""
    images = torch.from_numpy(splits["test"].images[:20])
    model = build_classifier(**BUILD, seed=0)
    expected = model.eval()(to_float(images)).detach()
    torch.testing.assert_close(predict(model.train(), images), expected, rtol=0, atol=1e-5)


@pytest.fixture
def saved(tmp_path, victims):
    build = {**BUILD, "width": 0.125, "mean": victims["source"].mean.flatten().tolist(), "std": [0.3]}
    save_model(tmp_path, victims["source"], build, {"recipe": "r", "id": "source"})
    return tmp_path


def test_round_trip(saved, victims, splits):
    model, card = load_model(saved)
    images = torch.from_numpy(splits["test"].images[:20])
    assert torch.equal(predict(model, images), predict(victims["source"], images))
    assert card["id"] == "source"
    assert is_current(saved, "r")
    assert not is_current(saved, "another recipe")
    assert not is_current(saved / "nowhere", "r")


def test_a_model_whose_weights_cannot_be_written_has_no_card(tmp_path):
    """Not even that of the model before: a folder with a card is whole."""
    model = build_classifier(**BUILD, seed=0)
    (tmp_path / "card.json").write_text('{"recipe": "r"}')
    (tmp_path / "weights.safetensors").mkdir()  # nothing can be written in its place
    with pytest.raises(ArtifactError, match=r"cannot write .*weights\.safetensors"):
        save_model(tmp_path, model, BUILD, {"recipe": "r"})
    assert not (tmp_path / "card.json").exists()
    assert not is_current(tmp_path, "r")


def test_damage_is_noticed(saved):
    path = saved / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(ArtifactError, match="does not match the hash in its card; build the model again"):
        load_model(saved)
    with pytest.raises(ArtifactError, match="is missing or does not match"):
        is_current(saved, "r")
    path.unlink()
    with pytest.raises(ArtifactError, match="expected weights at"):
        load_model(saved)


def test_a_card_of_another_model_is_noticed(saved):
    card = (saved / "card.json").read_text()
    (saved / "card.json").write_text(card.replace('"width": 0.125', '"width": 0.25'))
    with pytest.raises(ArtifactError, match=r"card.json is damaged: .*; build the model with `nf zoo`"):
        load_model(saved)
    write_sealed(saved / "card.json", json.loads((saved / "card.json").read_text()))
    with pytest.raises(ArtifactError, match="does not fit its card"):
        load_model(saved)


def test_weights_that_come_without_a_card(saved, victims, splits, tmp_path):
    build = {**BUILD, "width": 0.125}
    model = load_weights(build_classifier(**build, seed=5), saved / "weights.safetensors")
    images = torch.from_numpy(splits["test"].images[:20])
    assert torch.equal(predict(model, images), predict(victims["source"], images))
    with pytest.raises(ArtifactError, match=r"expected the weights of the zoo's source: .*size mismatch"):
        load_weights(build_classifier(**BUILD, seed=5), saved / "weights.safetensors")
    with pytest.raises(ArtifactError, match=r"expected weights at .*nowhere: No such file"):
        load_weights(build_classifier(**build, seed=5), tmp_path / "nowhere")
    (tmp_path / "junk").write_bytes(b"junk")
    with pytest.raises(ArtifactError, match="junk: expected the weights of the zoo's source"):
        load_weights(build_classifier(**build, seed=5), tmp_path / "junk")

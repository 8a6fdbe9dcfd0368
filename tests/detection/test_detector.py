import shutil

import pytest
import torch
from torch import nn

from nf.core.errors import ArtifactError, ConfigError
from nf.core.sections import parse_section
from nf.data import to_float
from nf.detection import (
    DetectorConfig,
    abnormal_share,
    fgsm_images,
    load_detectors,
    noisy_images,
    save_detectors,
    train_detector,
)
from nf.detection.detector import build_detector

QUICK = DetectorConfig(epochs=20)


@pytest.fixture(scope="module")
def normal(splits):
    return torch.from_numpy(splits["finetune"].images)


@pytest.fixture(scope="module")
def held_out(splits):
    return torch.from_numpy(splits["test"].images)


@pytest.fixture(scope="module")
def detector(victims, normal):
    noisy = noisy_images(normal, std=0.1, generator=torch.Generator().manual_seed(0))
    attacked = fgsm_images(victims["source"], normal, epsilon=8 / 255)
    return train_detector(normal, torch.cat([noisy, attacked]), QUICK, seed=0)


def test_it_has_eight_convolutions_and_one_linear_layer(detector):
    layers = [m for m in detector.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert [layer.weight.shape[0] for layer in layers] == [16, 16, 16, 32, 32, 64, 64, 128, 2]


def test_it_recognises_new_images_of_all_three_kinds(detector, victims, held_out):
    noisy = noisy_images(held_out, std=0.1, generator=torch.Generator().manual_seed(1))
    attacked = fgsm_images(victims["source"], held_out, epsilon=8 / 255)
    assert abnormal_share(detector, held_out) < 0.1
    assert abnormal_share(detector, noisy) > 0.9
    assert abnormal_share(detector, attacked) > 0.9


def test_the_share_is_a_count(detector, held_out):
    answers = detector(to_float(held_out)).argmax(1)
    assert abnormal_share(detector, held_out) == pytest.approx(int(answers.sum()) / len(held_out))


def test_few_abnormal_images_are_not_ignored(normal, held_out):
    """White squares, one to twenty: without equal weights, calling all normal would be 95 % right."""
    white = torch.full_like(normal[: len(normal) // 20], 255)
    detector = train_detector(normal, white, QUICK, seed=0)
    assert abnormal_share(detector, torch.full_like(held_out, 255)) == 1
    assert abnormal_share(detector, held_out) < 0.1


def test_equal_seeds_give_equal_detectors_and_leave_the_global_generator_alone(normal):
    before = torch.get_rng_state()
    first, second, other = (
        train_detector(normal[:60], 255 - normal[:60], DetectorConfig(epochs=1), seed=seed).state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert torch.equal(torch.get_rng_state(), before)


def test_noise_has_its_strength_and_fgsm_its_length(victims, normal):
    grey = torch.full((200, 1, 16, 16), 128, dtype=torch.uint8)
    noisy = noisy_images(grey, std=0.1, generator=torch.Generator().manual_seed(0))
    assert noisy.dtype == torch.uint8
    assert to_float(noisy).std() == pytest.approx(0.1, rel=0.02)
    step = fgsm_images(victims["source"], normal, epsilon=8 / 255).int() - normal.int()
    assert step.abs().max() == 8
    lower = victims["source"](to_float(normal)).max(1).values.mean()
    attacked = fgsm_images(victims["source"], normal, epsilon=8 / 255)
    labels = victims["source"](to_float(normal)).argmax(1, keepdim=True)
    assert victims["source"](to_float(attacked)).gather(1, labels).mean() < lower


def test_a_kind_without_images_is_refused(normal):
    with pytest.raises(ConfigError, match="abnormal images: expected at least one, got none"):
        train_detector(normal, normal[:0], QUICK, seed=0)


@pytest.mark.parametrize(("key", "value"), [("runs", 0), ("noise", 0.0)])
def test_settings_out_of_range_are_refused(key, value):
    with pytest.raises(ConfigError, match=rf"detection: {key}: expected .*, got {value}"):
        parse_section(DetectorConfig, {key: value}, "detection")


@pytest.fixture(scope="module")
def saved(detector, tmp_path_factory):
    folder = tmp_path_factory.mktemp("detectors")
    save_detectors(folder, {"naive": [_untrained(1), detector], "other": [_untrained(2)]}, {"gan": "a"})
    return folder


def _untrained(seed):
    return build_detector(1, seed=seed).eval()


def test_they_come_back_as_they_were(saved, detector, held_out):
    loaded, card = load_detectors(saved)
    assert card["gan"] == "a"
    for kind, networks in {"naive": [_untrained(1), detector], "other": [_untrained(2)]}.items():
        for network, again in zip(networks, loaded[kind], strict=True):
            assert torch.allclose(again(to_float(held_out)), network(to_float(held_out)), atol=1e-5)
            assert all(map(torch.equal, again.state_dict().values(), network.state_dict().values()))


def test_detectors_whose_weights_cannot_be_written_have_no_card(tmp_path):
    (tmp_path / "weights.safetensors").mkdir()  # nothing can be written in its place
    with pytest.raises(ArtifactError, match=r"cannot write .*weights\.safetensors"):
        save_detectors(tmp_path, {"naive": [_untrained(1)]}, {})
    assert not (tmp_path / "card.json").exists()


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "card.json").unlink(), "card.json"),
        (lambda folder: (folder / "weights.safetensors").unlink(), "run `nf detectors GAN`"),
        (lambda folder: (folder / "weights.safetensors").write_bytes(b"other"), "does not match the hash in its card"),
        (lambda folder: (folder / "card.json").write_text("{}"), "does not hold detectors"),
    ],
)
def test_what_is_missing_or_damaged_is_named(saved, tmp_path, break_it, message):
    folder = shutil.copytree(saved, tmp_path / "detectors")
    break_it(folder)
    with pytest.raises(ArtifactError, match=message):
        load_detectors(folder)


@pytest.mark.gpu
def test_a_gpu_trains_them_as_the_processor_does(caplog, normal, held_out):
    white = torch.full_like(normal[:40], 255).cuda()
    detector = train_detector(normal.cuda(), white, QUICK, seed=0)
    assert "cannot be recorded" not in caplog.text
    assert abnormal_share(detector, torch.full_like(held_out, 255).cuda()) == 1
    assert abnormal_share(detector, held_out.cuda()) < 0.1


def test_detectors_that_cannot_be_written_leave_no_card_beside_those_of_before(tmp_path, monkeypatch):
    save_detectors(tmp_path, {"naive": [build_detector(1, seed=0)]}, {})

    def fail(path, data):
        raise ArtifactError("no space")

    monkeypatch.setattr("nf.detection.artifacts.write_bytes", fail)
    with pytest.raises(ArtifactError, match="no space"):
        save_detectors(tmp_path, {"naive": [build_detector(1, seed=1)]}, {})
    assert not (tmp_path / "card.json").exists()

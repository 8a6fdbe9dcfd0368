import dataclasses
import json
import math
import shutil

import pytest
import torch

from nf.core.errors import ArtifactError, ConfigError, TrainingError, UnknownNameError
from nf.gan import read_history, train_gan
from nf.gan.definition import GanConfig
from nf.gan.training.checkpoint import load_checkpoint, save_checkpoint
from nf.gan.training.train import CollapseWatch
from nf.models.engine import ENGINES, Engine

FILES = [
    "card.json",
    "discriminator.safetensors",
    "generator.safetensors",
    "history.csv",
    "samples.png",
    "samples/step-000007.png",
    "samples/step-000012.png",
]


def _files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _bytes(folder):
    return {name: (folder / name).read_bytes() for name in FILES}


def test_the_folder_holds_the_gan_and_nothing_else(trained):
    _, folder = trained
    assert _files(folder) == FILES


def test_the_card_says_how_the_gan_was_made(trained, tiny):
    gan, folder = trained
    card = json.loads((folder / "card.json").read_text())
    assert card["name"] == "sagan"
    assert card["config"] == dataclasses.asdict(tiny)
    assert card["shape"] == {"image_size": 16, "channels": 1, "num_classes": 3}
    assert (card["seed"], card["images"], card["steps"]) == (1, 30, 12)
    assert card["parameters"]["generator"] == sum(p.numel() for p in gan.generator.parameters())
    assert card["torch"] == torch.__version__


def test_the_same_seed_gives_the_same_bytes_and_draws_nothing_globally(trained, train, tmp_path):
    _, folder = trained
    state = torch.get_rng_state()
    train(tmp_path)
    assert torch.equal(torch.get_rng_state(), state)
    assert _bytes(tmp_path) == _bytes(folder)


def test_another_seed_gives_other_weights(train, tiny, tmp_path):
    config = dataclasses.replace(tiny, steps=1)
    train(tmp_path / "one", config, seed=1)
    train(tmp_path / "two", config, seed=2)
    for name in ("generator.safetensors", "discriminator.safetensors"):
        assert (tmp_path / "one" / name).read_bytes() != (tmp_path / "two" / name).read_bytes()


def test_a_killed_run_goes_on_and_ends_in_the_same_bytes(trained, train, train_until, tmp_path):
    _, folder = trained
    train_until(tmp_path, 10)
    assert _files(tmp_path) == ["checkpoint.pt", "history.csv", "samples/step-000007.png"]
    assert torch.load(tmp_path / "checkpoint.pt", weights_only=True)["state"]["step"] == 7
    reports = []
    train(tmp_path, progress=lambda step, steps, losses: reports.append((step, steps, sorted(losses))))
    assert reports == [(10, 12, ["d_adversarial", "g_adversarial"]), (12, 12, ["d_adversarial", "g_adversarial"])]
    assert _bytes(tmp_path) == _bytes(folder)
    assert not (tmp_path / "checkpoint.pt").exists()


def test_a_finished_gan_is_read_and_not_trained_again(trained, train, tmp_path):
    gan, folder = trained
    again = shutil.copytree(folder, tmp_path / "again")
    (again / "checkpoint.pt").touch()  # as if it had been killed before it could remove that
    read = train(again, progress=lambda *_: pytest.fail("it is trained again"))
    assert _bytes(again) == _bytes(folder)
    assert _files(again) == FILES
    z, labels = gan.sample_latents(4, torch.Generator().manual_seed(0))
    assert torch.equal(read.generate(z, labels), gan.generate(z, labels))


@pytest.mark.parametrize(
    "change", ["settings", "seed", "images", "classes", "classifier", "torch", "weights", "history"]
)
def test_a_gan_of_another_training_is_no_card_while_the_new_one_trains(
    change, trained, train_until, shades, tiny, tmp_path, monkeypatch
):
    folder = shutil.copytree(trained[1], tmp_path / "gan")
    images, labels = shades
    arguments = {
        "settings": {"config": dataclasses.replace(tiny, learning_rate_g=1e-3)},
        "seed": {"seed": 2},
        "images": {"images": 255 - images},
        "classes": {"labels": labels.flip(0)},
        "classifier": {"measured_by": "another source model"},
    }.get(change, {})
    if change == "torch":
        monkeypatch.setattr(torch, "__version__", "99.0")
    if change == "weights":
        (folder / "generator.safetensors").write_bytes(b"damaged")
    if change == "history":
        (folder / "history.csv").unlink()
    train_until(folder, 10, **arguments)
    assert not (folder / "card.json").exists()


def test_the_losses_of_a_row_are_means_over_the_steps_since_the_last(train, tiny, tmp_path):
    train(tmp_path / "often", dataclasses.replace(tiny, steps=3, checkpoint_every=1))
    train(tmp_path / "once", dataclasses.replace(tiny, steps=3, checkpoint_every=3))
    often, once = (read_history(tmp_path / folder / "history.csv") for folder in ("often", "once"))
    assert [row["step"] for row in often] == [1, 2, 3]
    mean = sum(row["d_adversarial"] for row in often) / 3
    assert once[-1]["d_adversarial"] == pytest.approx(mean, abs=1e-5)


def test_sheets_of_another_run_do_not_stay(train, tiny, tmp_path):
    train(tmp_path, dataclasses.replace(tiny, steps=2, checkpoint_every=1))
    train(tmp_path, dataclasses.replace(tiny, steps=3, checkpoint_every=3))
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["step-000003.png"]


def test_a_damaged_history_is_refused(tmp_path):
    with pytest.raises(ArtifactError, match=r"expected a table at .*history.csv, found nothing; run `nf gan"):
        read_history(tmp_path / "history.csv")
    (tmp_path / "history.csv").write_text("step,d_adversarial\n100,x\n")
    with pytest.raises(ArtifactError, match=r"is damaged .its digest does not match.; run `nf gan"):
        read_history(tmp_path / "history.csv")


def test_a_checkpoint_comes_back_for_its_own_run_only(tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    assert load_checkpoint(path, "this run", "cpu") is None
    save_checkpoint(path, "this run", {"step": 3, "weights": torch.arange(3)})
    state = load_checkpoint(path, "this run", "cpu")
    assert state["step"] == 3
    assert state["weights"].tolist() == [0, 1, 2]
    assert not caplog.records
    assert load_checkpoint(path, "another run", "cpu") is None
    assert "of a run with other settings" in caplog.text


@pytest.mark.parametrize("keep", [0, 10, -20])
def test_a_damaged_checkpoint_is_left_aside_with_a_warning(keep, tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, "this run", {"step": 3})
    path.write_bytes(path.read_bytes()[:keep])
    assert load_checkpoint(path, "this run", "cpu") is None
    assert "is damaged" in caplog.text


def test_a_checkpoint_that_would_run_code_is_left_aside(tmp_path, caplog):
    path = tmp_path / "checkpoint.pt"
    torch.save({"identity": "this run", "state": print}, path)
    assert load_checkpoint(path, "this run", "cpu") is None
    assert "is damaged" in caplog.text


def test_it_learns_what_the_classes_look_like(train, tiny, tmp_path):
    # Twice as wide as the smallest and at a slower rate: that one loses a class under three seeds of ten.
    config = dataclasses.replace(
        tiny,
        generator_channels=16,
        discriminator_channels=16,
        steps=60,
        batch_size=16,
        learning_rate_g=3e-3,
        learning_rate_d=3e-3,
        beta1=0.0,
        max_shift=0,
        checkpoint_every=60,
    )
    gan = train(tmp_path, config)
    z, _ = gan.sample_latents(60, torch.Generator().manual_seed(0))
    brightness = gan.generate(z, torch.arange(60) % 3).mean((1, 2, 3)).view(20, 3).mean(0)
    real = torch.tensor([9.5, 119.5, 229.5]) / 255
    assert (brightness - real).abs().max() < 0.15


def test_bfloat16_trains_nearly_the_same_gan_and_leaves_float32_weights(trained, train, tiny, tmp_path):
    exact, _ = trained
    fast = train(tmp_path, dataclasses.replace(tiny, precision="bfloat16"))
    pairs = list(zip(exact.generator.parameters(), fast.generator.parameters(), strict=True))
    assert {rounded.dtype for _, rounded in pairs} == {torch.float32}
    differences = [float((kept - rounded).abs().max()) for kept, rounded in pairs]
    assert 0 < max(differences) < 0.01


def test_an_unknown_precision_is_refused():
    with pytest.raises(ConfigError, match="precision: expected one of float32, bfloat16, got 'float16'"):
        GanConfig(precision="float16")


def test_divergence_is_noticed(train, tiny, tmp_path):
    config = dataclasses.replace(tiny, learning_rate_g=math.inf)
    with pytest.raises(TrainingError, match="sagan diverged: d_adversarial is nan at step 10; lower learning_rate_g"):
        train(tmp_path, config)
    assert not (tmp_path / "card.json").exists()


def test_a_discriminator_with_nothing_left_to_learn_is_noticed():
    watch = CollapseWatch("sagan")
    for step in range(19):
        watch.check(step, {"d_adversarial": 0.0, "g_adversarial": 3.0})
    watch.check(19, {"d_adversarial": 0.5, "g_adversarial": 3.0})  # it recovered
    for step in range(20, 39):
        watch.check(step, {"d_adversarial": 0.0, "g_adversarial": 3.0})
    with pytest.raises(TrainingError, match=r"stayed at zero up to step 39.*lower d_steps or learning_rate_d"):
        watch.check(39, {"d_adversarial": 0.0, "g_adversarial": 3.0})


def test_an_unknown_gan_and_a_config_of_another_are_refused(shades, tiny, tmp_path):
    images, labels = shades
    arguments = {"num_classes": 3, "seed": 1, "folder": tmp_path}
    with pytest.raises(UnknownNameError, match=r"unknown gan 'stylegan': expected one of .*sagan"):
        train_gan("stylegan", tiny, images, labels, **arguments)
    with pytest.raises(ConfigError, match="expected SaganConfig for sagan, got GanConfig"):
        train_gan("sagan", GanConfig(), images, labels, **arguments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, y: (x.float(), y), "images: expected uint8.*got torch.float32"),
        (lambda x, y: (x[:, :, :8], y), r"images: expected .*\(N, C, H, H\).*got torch.uint8 \(30, 1, 8, 16\)"),
        (lambda x, y: (x, y[:5]), r"labels: expected int64 of shape \(30,\), got torch.int64 \(5,\)"),
        (lambda x, y: (x, y + 1), "labels: expected classes 0 to 2, got 1 to 3"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(change, message, shades, tiny, tmp_path):
    with pytest.raises(ConfigError, match=message):
        train_gan("sagan", tiny, *change(*shades), num_classes=3, seed=1, folder=tmp_path)


@pytest.mark.parametrize("name", ["sagan", "contragan"])
def test_recorded_updates_train_to_the_same_bytes(name, shades, tiny_of, tmp_path, monkeypatch):
    """A recording that runs what was recorded stands for a CUDA graph."""
    config = dataclasses.replace(tiny_of(name), max_shift=0, steps=6)
    arguments = {"num_classes": 3, "seed": 1}
    train_gan(name, config, *shades, **arguments, folder=tmp_path / "plain")
    recordings = []

    def record(work, generators):
        recordings.append(work)
        return work

    monkeypatch.setitem(ENGINES, "cpu", Engine(record=record))
    train_gan(name, config, *shades, **arguments, folder=tmp_path / "recorded")
    assert len(recordings) == 2  # one update of each network
    for file in ("generator.safetensors", "discriminator.safetensors", "history.csv"):
        assert (tmp_path / "plain" / file).read_bytes() == (tmp_path / "recorded" / file).read_bytes()


@pytest.mark.parametrize(("name", "max_shift"), [("sagan", 1), ("wgan_gp", 0), ("logan", 0), ("icrgan", 0)])
def test_updates_whose_losses_draw_are_not_recorded(name, max_shift, shades, tiny_of, tmp_path, monkeypatch):
    def record(work, generators):
        raise AssertionError("recorded")

    monkeypatch.setitem(ENGINES, "cpu", Engine(record=record))
    config = dataclasses.replace(tiny_of(name), max_shift=max_shift, steps=5, d_steps=1)
    train_gan(name, config, *shades, num_classes=3, seed=1, folder=tmp_path)
    assert (tmp_path / "card.json").exists()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["sagan", "contragan"])
def test_on_a_gpu_recorded_updates_do_what_plain_ones_do(name, shades, tiny_of, tmp_path, monkeypatch, caplog):
    config = dataclasses.replace(tiny_of(name), max_shift=0, steps=6)
    arguments = {"num_classes": 3, "seed": 1, "device": "cuda"}
    recorded = train_gan(name, config, *shades, **arguments, folder=tmp_path / "recorded")
    assert "cannot be recorded" not in caplog.text
    monkeypatch.setitem(ENGINES, "cuda", dataclasses.replace(ENGINES["cuda"], record=None))
    plain = train_gan(name, config, *shades, **arguments, folder=tmp_path / "plain")
    for a, b in zip(recorded.generator.parameters(), plain.generator.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=2e-3, rtol=1e-2)

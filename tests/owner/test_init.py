"""``nf init``: what it finds out, what it writes, and what it says of input that cannot be used."""

import importlib
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from click.testing import CliRunner
from PIL import Image
from torch import nn
from torchvision import models

from nf.cli.commands import cli
from nf.core.config import Profile, load_settings
from nf.core.errors import DataError, NFError
from nf.core.interface import state_interface
from nf.core.paths import Layout
from nf.data import LabelledImages, RawData
from nf.fingerprints import AkhConfig
from nf.owner import Wishes, introduce
from nf.owner import plan as plans
from nf.owner.images import find_images
from nf.owner.pilot import Pilot
from nf.stages.fingerprint import owners_splits
from nf.stages.graph import Wanted, all_parts, select
from nf.stages.prepare import prepare
from nf.stages.run import Run
from nf.stages.zoo import plan_zoo, source_opener
from nf.zoo import ModelBuilder, fingerbench
from tests.owner.conftest import CLASSES, draw, small, train_outside, write_folder

ROOT = Path(__file__).resolve().parents[2]
STATED = ("--input", "imagenet,32")
"""How the owner's model is asked, for tests of something else: to find it takes seconds."""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project's folder, and a machine whose speed is known."""
    shutil.copy(ROOT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(plans, "train_pilots", pilots(1e-4))
    monkeypatch.setattr(plans, "_seconds_a_step", lambda *_: 0.1)
    monkeypatch.setattr(importlib.import_module("nf.owner.introduce"), "_seconds_of_training", lambda *_: 1e-3)
    return tmp_path


def pilots(seconds, passes=12_000):
    """Tries of networks that all come out alike."""
    return lambda course, names, wanted, **_: dict.fromkeys(names, Pilot(passes, seconds, 0.9))


def init(*arguments):
    result = CliRunner().invoke(cli, ["init", *map(str, arguments)])
    if isinstance(result.exception, Exception) and not isinstance(result.exception, NFError):
        raise result.exception
    return result


def written(project, name):
    """The profile, as the pipeline reads it."""
    settings = load_settings(project / "params.yaml")
    return settings.load_profile(name)


def test_a_checkpoint_becomes_a_profile_that_the_pipeline_takes(owner, project):
    result = init(
        *("mine", "--model", "torchvision:resnet18", "--weights", owner / "model.pt"),
        *("--data", owner / "images", "--others", owner / "others", "--input", "imagenet"),
    )
    assert result.exit_code == 0, result.output
    profile = written(project, "mine")
    assert (profile.data.image_size, profile.data.channels, profile.zoo.own.copied) == (32, 3, True)
    assert profile.zoo.own.interface.mean == (0.485, 0.456, 0.406)
    assert profile.data.source.images == 160
    assert owners_splits(Run(profile, Layout(project))) == ("A",)
    lineage = fingerbench(profile.zoo)
    assert lineage["source"].architecture == lineage["finetune-FTAL-source"].architecture == "own"
    assert lineage["mirror"].architecture == "resnet18"
    models_in_all = len(lineage.trained().specs)
    assert "160 and 80 held back, 4 classes of 40, in colour, brought to 32x32" in result.output
    assert "without --test" not in result.output
    assert f"{models_in_all} models" in result.output
    sections = yaml.safe_load((project / "profiles" / "mine.yaml").read_text())["profiles"]["mine"]
    assert set(sections) == set(Profile.__dataclass_fields__) - {"name"}  # DVC misses what is not there
    head = (project / "profiles" / "mine.yaml").read_text().split("profiles:")[0]
    assert all(line.startswith("#") for line in head.splitlines())


def test_a_file_is_found_out_whatever_the_order_of_its_classes(owner, project):
    """An ONNX file whose classes stand in another order is a black box: students alone."""
    order = [2, 0, 3, 1]
    network = models.resnet18(num_classes=4)
    network.load_state_dict(torch.load(owner / "model.pt", weights_only=True)["state_dict"])
    with torch.no_grad():
        network.fc.weight.copy_(network.fc.weight[order].clone())
        network.fc.bias.copy_(network.fc.bias[order].clone())
    torch.onnx.export(
        network.eval(),
        (torch.zeros(1, 3, 32, 32),),
        project / "m.onnx",
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    # These classes are colours: asked in blue, green and red, blue and red would change places.
    result = init("boxed", "--model", "m.onnx", "--data", owner / "images", "--input", "rgb,imagenet")
    assert result.exit_code == 0, result.output
    profile = written(project, "boxed")
    assert profile.zoo.own.interface.classes == (2, 0, 3, 1)
    assert owners_splits(Run(profile, Layout(project))) == ("A", "B")
    attacks = {spec.attack for spec in fingerbench(profile.zoo).specs if spec.role == "positive" and spec.parent}
    assert attacks == {"distill", "knockoff"}
    assert profile.zoo.attacks["distill"]["answers"] == "once"
    text = (project / "profiles" / "boxed.yaml").read_text()
    assert "not represented: finetune, prune, noise, adversarial" in text
    assert "students of its answers alone" in result.output
    assert "nobody else's" in result.output
    assert yaml.safe_load(text)["profiles"]["boxed"]["zoo"]["own"]["open"] == str(project / "m.onnx")


def test_little_time_takes_models_and_then_how_good_they_are(owner, project, monkeypatch):
    """Few models accuse nobody; models worse than other people's accuse these people."""
    monkeypatch.setattr(plans, "train_pilots", pilots(1e-2, passes=6_400))
    common = ("--model", "torchvision:resnet18", "--weights", owner / "model.pt", "--data", owner / "images", *STATED)
    whole, some, few, bad = (
        init(name, *common, *time)
        for name, time in {
            "whole": (),
            "some": ("--minutes", 47),
            "few": ("--minutes", 30),
            "bad": ("--minutes", 7),
        }.items()
    )
    assert "warning" not in whole.output
    assert "honest models of 10 lineages tell little" in some.output
    assert "honest models of 6 lineages tell little" in few.output
    assert re.search(r"models learn \d\d% of what they need to be as good as yours", bad.output)
    zoos = {name: written(project, name).zoo for name in ("whole", "some", "few", "bad")}
    counts = [len(fingerbench(zoo).specs) for zoo in zoos.values()]
    assert counts[0] > counts[1] > counts[2] == counts[3]
    assert [zoo.training.epochs for zoo in zoos.values()][:3] == [40, 40, 40]
    assert zoos["bad"].training.epochs < 40
    assert "# models learn" in (project / "profiles" / "bad.yaml").read_text()


def test_without_a_gan_the_time_goes_to_models(owner, project, monkeypatch):
    """Mistakes of the model want none: `nf run` makes their report, and neither a GAN nor its queries."""
    monkeypatch.setattr(plans, "train_pilots", pilots(1e-2, passes=6_400))
    common = ("--model", "torchvision:resnet18", "--weights", owner / "model.pt", "--data", owner / "images")
    drawn, mistakes = (
        init(scheme, *common, "--minutes", 47, "--scheme", scheme).output for scheme in ("naturalfinger", "akh")
    )
    assert " a GAN in " in drawn
    assert " a GAN in " not in mistakes
    assert "then `make repro PROFILE=naturalfinger`, or `nf run report --profile naturalfinger`" in drawn
    assert "then `nf run report --profile akh`" in mistakes
    usual, fast = (written(project, name) for name in ("naturalfinger", "akh"))
    assert len(fingerbench(fast.zoo).specs) > len(fingerbench(usual.zoo).specs)
    assert fast.schemes == usual.schemes
    assert next(iter(fast.schemes)) == "akh"
    run = Run(fast, Layout(project))
    parts = {part.name for part in select(all_parts(run, Wanted.of(fast)), ["report"])}
    assert parts == {"prepare", "zoo", "export", "fingerprint@akh", "score@akh", "evaluate@akh", "report"}
    assert set(fast.seconds) == {"zoo", "fingerprint@akh"}


def test_the_time_in_which_a_black_box_answers_is_no_time_for_training(project, monkeypatch):
    """A slow one leaves its models less to learn from, and the plan stays about within the time that there is."""
    monkeypatch.setattr(plans, "train_pilots", pilots(2e-2, passes=6_400))
    images, labels = draw(160, 1, size=16)
    np.savez("images.npz", images=images, labels=labels)
    network, batch = train_outside(small(4), images, labels), torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(network, (torch.zeros(2, 3, 16, 16),), dynamic_shapes=({0: batch},))
    torch.export.save(program, "m.pt2")
    met = introduce(Wishes("m.pt2", "images.npz", interface=state_interface(words="imagenet,16"), image_size=16))
    for scheme, seconds in (("akh", 0.6), ("naturalfinger", 0.2)):
        fast, slow = (
            plans.plan_profile(replace(met, seconds=each), "boxed", scheme=scheme, minutes=60)[1]
            for each in (1e-4, seconds)
        )
        assert slow.asked * seconds > 10 * 60
        assert slow.models <= fast.models
        assert slow.enough < fast.enough or slow.models < fast.models
        assert slow.minutes < 66


@pytest.mark.parametrize(("accuracy", "images", "asked"), [(0.5, 1_000, 8_000), (0.9, 40, 2_080), (None, 40, 2_080)])
def test_a_model_is_asked_until_it_has_made_mistakes_enough(accuracy, images, asked):
    """4,000 of them, or those among the test images, their mirror images and fifty rounds of mixtures."""
    assert plans._searched(SimpleNamespace(accuracy=accuracy), images, AkhConfig()) == asked


def test_each_architecture_learns_for_as_long_as_it_needs(owner, project, monkeypatch):
    def tried(course, names, wanted, **_):
        assert len(course.raw.train) == 160
        assert 0.5 < wanted < 1
        return {name: Pilot(12_000 if name == "vgg13_bn" else 1_600, 1e-4, 0.9) for name in names}

    monkeypatch.setattr(plans, "train_pilots", tried)
    common = ("--model", "torchvision:resnet18", "--weights", owner / "model.pt", "--data", owner / "images", *STATED)
    assert init("mine", *common, "--others", owner / "others").exit_code == 0
    zoo = written(project, "mine").zoo
    assert (zoo.training.epochs, zoo.overrides) == (10, {"vgg13_bn": {"epochs": 40}})
    assert zoo.suspects == ("resnet18", "vgg16_bn")
    assert {spec.architecture for spec in fingerbench(zoo).specs if spec.id.startswith("scratch-")} > set(zoo.suspects)


@pytest.mark.parametrize(
    ("model", "size", "cost", "names"),
    [
        (["torchvision:resnet18", "--weights", "model.pt"], "32", 1.0, {"own_architecture"}),  # as most people's, too
        (["torchvision:resnet18", "--weights", "model.pt"], "48", 1.0, {"own_architecture", "torchvision_resnet18"}),
        (["torchvision:resnet18", "--weights", "model.pt"], "48", 9.0, {"torchvision_resnet18"}),
    ],
)
def test_honest_models_are_of_the_owner_s_architecture_too(owner, project, monkeypatch, model, size, cost, names):
    def tried(course, architectures, *_, **__):
        assert {name: network.weights for name, network in course.networks.items()} == dict.fromkeys(
            set(architectures) - set(plans.SIZES[0].architectures)
        )
        return {each: Pilot(1_600, 1e-4 * (cost if each == "own_architecture" else 1), 0.9) for each in architectures}

    monkeypatch.setattr(plans, "train_pilots", tried)
    monkeypatch.chdir(owner)
    monkeypatch.setattr("nf.cli.init._FOLDER", project / "profiles")
    result = init("mine", "--model", *model, "--data", "images", "--others", "others", "--input", f"imagenet,{size}")
    assert result.exit_code == 0, result.exception
    assert ("own_architecture takes" in result.output) == (cost > 3)
    zoo = written(project, "mine").zoo
    assert set(zoo.networks) == names
    assert not names & set(zoo.suspects)
    made = {spec.id for spec in fingerbench(zoo).specs}
    for name in names:
        assert {f"scratch-{name}-c1", f"twin-{name}-c1", f"scratch-{name}-t1", f"distill-{name}-source-t1"} <= made


def test_an_architecture_that_brings_its_weights_makes_no_honest_models(owner, project, monkeypatch):
    """Such as a function that loads them: what it returns is the owner's model each time."""
    code = f"""
import torch
from torchvision import models

def make(num_classes):
    network = models.resnet18(num_classes=num_classes)
    network.load_state_dict(torch.load({str(owner / "model.pt")!r}, weights_only=True)["state_dict"])
    return network
"""
    (project / "brought.py").write_text(code)
    result = init("mine", "--model", "brought:make", "--data", owner / "images", "--input", "imagenet,32")
    assert result.exit_code == 0, result.exception
    zoo = written(project, "mine").zoo
    assert zoo.own.copied
    assert set(zoo.networks) == {"torchvision_resnet18"}


def test_what_is_there_is_not_written_over(owner, project):
    model = ("--model", "torchvision:resnet18", "--weights", owner / "model.pt", *STATED)
    common = ("mine", *model, "--data", owner / "images")
    assert init(*common).exit_code == 0
    again = init(*common)
    assert "is there already; --force" in str(again.exception)
    assert init(*common, "--force").exit_code == 0


def empty_class(root):
    (root / "images" / "train" / "nothing").mkdir()


def corrupt(root):
    path = next((root / "images" / "train" / CLASSES[0]).iterdir())
    path.write_bytes(path.read_bytes()[:50])


def few(root):
    for path in sorted((root / "images" / "train" / CLASSES[1]).iterdir())[3:]:
        path.unlink()


def another_class(root):
    write_folder(root / "images" / "train", *draw(160, 7), names=("a", "b", "c", "d"))
    shutil.rmtree(root / "images" / "test")


def one_class(root):
    for name in CLASSES[1:]:
        shutil.rmtree(root / "images" / "train" / name)
        shutil.rmtree(root / "images" / "test" / name)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty_class, "images/train: expected one sub-folder of images per class.*nothing"),
        (corrupt, "png: not an image that can be read"),
        (few, "expected at least 20 images of every class, got 3 of 'grün'"),
        (another_class, "model: expected one that knows these 8 classes|cannot be|expected the weights"),
        (one_class, "expected at least 2 classes, got blue 9"),
    ],
)
def test_images_that_cannot_be_used_are_said_in_a_line(owner, project, spoil, message):
    shutil.copytree(owner, project / "owner")
    spoil(project / "owner")
    result = init(
        *("mine", "--model", "torchvision:resnet18", "--weights", project / "owner" / "model.pt"),
        *("--data", project / "owner" / "images"),
    )
    assert isinstance(result.exception, NFError)
    assert re.search(message, str(result.exception)), result.exception
    assert "\n" not in str(result.exception)
    assert not (project / "profiles").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("smoke", "name: 'smoke' is a profile of params.yaml; choose another one"),
        ("1abc", "name: expected a letter, then letters"),
        ("a" * 300, "at most 64 in all"),
    ],
)
def test_names_that_cannot_be_taken_are_said_before_any_work(owner, project, name, message):
    result = init(name, "--model", "torchvision:resnet18", "--data", owner / "images")
    assert isinstance(result.exception, NFError)
    assert message in str(result.exception)


def test_time_that_is_none_is_refused(owner, project):
    model = ("--model", "torchvision:resnet18", "--weights", owner / "model.pt", *STATED)
    result = init("mine", *model, "--data", owner / "images", "--minutes", "nan")
    assert "minutes: expected a number above 0, got nan" in str(result.exception)


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ("nowhere", "others: expected images at nowhere, found nothing"),
        ("images/train", "expected images that data.source does not have"),
    ],
)
def test_others_images_are_looked_at_before_any_work(owner, project, monkeypatch, others, message):
    monkeypatch.chdir(owner)
    monkeypatch.setattr("nf.cli.init._FOLDER", project / "profiles")
    monkeypatch.setattr(plans, "train_pilots", lambda *_, **__: pytest.fail("trained before the images were read"))
    model = ("--model", "torchvision:resnet18", "--weights", "model.pt", *STATED)
    result = init("mine", *model, "--data", "images", "--others", others)
    assert isinstance(result.exception, NFError), result.exception
    assert message in str(result.exception)


def test_weights_that_were_forgotten_are_thought_of(owner, project):
    result = init("mine", "--model", "torchvision:resnet18", "--data", owner / "images", "--input", "imagenet,32")
    assert "its weights are fresh: name a file with --weights" in str(result.exception)


@pytest.mark.parametrize("fault", ["raise IndexError('gone')", "raise SystemExit(3)", "assert num_classes == 99"])
def test_code_that_fails_is_said_in_a_line(owner, project, fault):
    (project / "failing.py").write_text(f"def make(num_classes):\n    {fault}\n")
    sys.modules.pop("failing", None)
    result = init("mine", "--model", "failing:make", "--data", owner / "images")
    assert isinstance(result.exception, NFError), result.exception
    assert "failing:make: expected a network, got " in str(result.exception)


def test_a_network_for_colours_is_met_with_grey_images(owner, project):
    """As grey images are often trained on: three channels that are alike."""
    shutil.copytree(owner / "images", project / "images")
    for path in (project / "images").rglob("*.png"):
        Image.open(path).convert("L").save(path)
    code = """import torch

class Mean(torch.nn.Module):
    def __init__(self, count):
        super().__init__()
        self.head = torch.nn.Conv2d(3, count, 1)
    def forward(self, x):
        return {"logits": self.head(x).mean((2, 3))}

def make(num_classes):
    torch.manual_seed(0)
    return Mean(num_classes)
"""
    (project / "coloured.py").write_text(code)
    result = init("mine", "--model", "coloured:make", "--data", project / "images")
    assert "control images right" in str(result.exception), result.exception


def test_a_test_part_of_parquet_is_not_learned_from(tmp_path, monkeypatch):
    for name in ("part-0", "test"):
        (tmp_path / f"{name}.parquet").write_bytes(b"")
    found = find_images(str(tmp_path))
    assert (found.train, found.test) == (str(tmp_path / "part-0.parquet"), str(tmp_path / "test.parquet"))
    (tmp_path / "part-1.parquet").write_bytes(b"")
    with pytest.raises(DataError, match=r"expected the images to learn from in .*train\*\.parquet .*got 2 other"):
        find_images(str(tmp_path))
    (tmp_path / "test.parquet").unlink()
    assert find_images(str(tmp_path)).train == str(tmp_path / "*.parquet")


def test_a_path_that_is_mistyped_is_no_name_on_a_hub(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="expected images at data/digitz, found nothing"):
        find_images("data/digitz")
    assert find_images("someone/digits").kind == "hugging_face"


def test_a_grey_image_among_colour_ones_is_taken_as_it_looks(owner, project):
    shutil.copytree(owner / "images", project / "images")
    path = next((project / "images" / "train" / CLASSES[0]).iterdir())
    Image.open(path).convert("L").save(path)
    result = init(
        *("mine", "--model", "torchvision:resnet18", "--weights", owner / "model.pt", "--data", project / "images"),
    )
    assert result.exit_code == 0, result.exception
    assert written(project, "mine").data.channels == 3


def test_a_model_of_other_classes_is_refused(owner, project):
    torch.manual_seed(3)
    torch.save(models.resnet18(num_classes=4).state_dict(), project / "untrained.pt")
    result = init(
        *("mine", "--model", "torchvision:resnet18", "--weights", project / "untrained.pt", "--data", owner / "images"),
        *("--input", "imagenet,32"),
    )
    assert "model: expected one that knows these 4 classes, but it gets" in str(result.exception)


@pytest.mark.parametrize(("classes", "floor"), [(9, 0.6), (10, 0.32), (100, 0.32)])
def test_a_model_of_many_classes_may_get_fewer_right(classes, floor):
    """Whether it is the right model at all is in question; what it guesses would be right in one case of ten."""
    images = LabelledImages(np.zeros((4 * classes, 3, 8, 8), np.uint8), np.arange(4 * classes) % classes)
    met = importlib.import_module("nf.owner.introduce")
    controls = met._controls(images, RawData(images, None, tuple(map(str, range(classes)))), 200)
    assert controls.floor == pytest.approx(floor)


def test_where_nothing_can_be_written_is_said_before_any_work(owner, project, monkeypatch):
    (project / "profiles").touch()  # a file in the place of the folder
    monkeypatch.setattr("nf.owner.introduce", lambda *_: pytest.fail("the model was met"))
    result = init("mine", "--model", "torchvision:resnet18", "--data", owner / "images")
    assert "cannot write profiles/mine.yaml" in str(result.exception)


def test_an_exported_program_and_arrays(owner, project):
    images, labels = draw(160, 1)
    np.savez(project / "images.npz", images=images, labels=labels)
    network = nn.Sequential(models.resnet18(num_classes=4))
    network[0].load_state_dict(torch.load(owner / "model.pt", weights_only=True)["state_dict"])
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.export.export(network.eval(), (torch.zeros(2, 3, 32, 32),), dynamic_shapes=({0: batch},))
    torch.export.save(program, project / "m.pt2")
    result = init("boxed", "--model", "m.pt2", "--data", "images.npz", "--input", "imagenet")
    assert result.exit_code == 0, result.exception
    profile = written(project, "boxed")
    assert (profile.data.source.kind, profile.zoo.own.trainable) == ("arrays", False)
    assert "without --test, control images come from those, too" in result.output
    assert len(profile.zoo.own.digest) == 64


@pytest.fixture(scope="module")
def two_classes(tmp_path_factory):
    """Images of two classes, and a network with one output that was trained on them."""
    root = tmp_path_factory.mktemp("two")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = small(1)
        for place, count, seed in (("images/train", 160, 1), ("images/test", 80, 2)):
            images, labels = draw(count, seed, 16)
            write_folder(root / place, images[labels < 2], labels[labels < 2], ("no", "yes"))
            if seed == 1:
                train_outside(Both(network), images[labels < 2], labels[labels < 2])
    torch.save(network.state_dict(), root / "model.pt")
    batch = {0: torch.export.Dim("batch", min=1, max=4096)}
    for name, ending in (("sigmoid", [nn.Sigmoid()]), ("flat", [nn.Flatten(0)])):
        whole = nn.Sequential(network, *ending).eval()
        program = torch.export.export(whole, (torch.zeros(2, 3, 16, 16),), dynamic_shapes=(batch,))
        torch.export.save(program, root / f"{name}.pt2")
        torch.onnx.export(program, f=root / f"{name}.onnx", dynamo=True, external_data=False, verbose=False)
    return root


class Both(nn.Module):
    """What the loss of two classes makes of one logit."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        second = self.network(x)
        return torch.cat([torch.zeros_like(second), second], 1)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("tests.owner.conftest:small", "logits"),
        ("sigmoid.onnx", "probabilities"),
        ("flat.onnx", "logits"),
        ("sigmoid.pt2", "probabilities"),
    ],
)
def test_a_model_with_one_output_for_two_classes(two_classes, project, model, kind):
    place = model if ":" in model else two_classes / model
    weights = ("--weights", two_classes / "model.pt") if ":" in model else ()
    result = init("mine", "--model", place, *weights, "--data", two_classes / "images", "--input", "imagenet,16")
    assert result.exit_code == 0, result.exception
    profile = written(project, "mine")
    own = profile.zoo.own.interface
    assert (own.kind, own.classes) == (kind, (1,))
    run = Run(profile, Layout(project / "out"))
    prepare(run)
    builder = ModelBuilder(plan_zoo(run), run.layout.data, run.layout.zoo, source_opener(run))
    assert builder.build("source")[0]["test_accuracy"] > 0.9
    if profile.zoo.own.trainable:
        assert builder.build("finetune-RTAL-source")[0]["test_accuracy"] > 0.4


def test_the_front_page_s_command_runs_as_it_stands(owner, project):
    (line,) = re.findall(r"^nf init .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    for name, place in (("model.pt", "model.pt"), ("images", "images"), ("similar-images", "others")):
        (project / name).symlink_to(owner / place)
    result = init(*line.split()[2:])
    assert result.exit_code == 0, result.exception
    assert written(project, "mine").data.others is not None

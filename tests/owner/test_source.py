"""The owner's model as the source of a zoo: a black box answers, a network with weights is copied, too."""

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
import torch
from torchvision import models

from nf.core.answer_memory import AnswerMemory
from nf.core.answers import Answers
from nf.core.config import NetworkConfig
from nf.core.controls import Controls
from nf.core.errors import ArtifactError, ConfigError, SuspectError
from nf.core.interface import Interface, parse_input
from nf.core.paths import Layout
from nf.models import AnsweringClassifier, load_model, predict, weights_hash
from nf.owner.section import parse_profile
from nf.stages.detectors import detectors
from nf.stages.fingerprint import fingerprint
from nf.stages.own_model import load_source, open_own_model, own_digest
from nf.stages.prepare import prepare
from nf.stages.run import Run
from nf.stages.zoo import plan_zoo, source_opener
from nf.stages.zoo_suspects import open_zoo_suspect
from nf.zoo import ModelBuilder, fingerbench
from tests.owner.conftest import draw

STUDENT = "distill-resnet18-source"


def section(owner, place, **own):
    folder = {"kind": "folder", "train": str(owner / "images/train"), "test": str(owner / "images/test")}
    tune = {"epochs": 1, "batch_size": 32, "learning_rate": 0.005}
    return {
        "seed": 0,
        "data": {
            "source": folder,
            "others": {"kind": "folder", "train": str(owner / "others")},
            "knockoff": {"kind": "scribbles", "images": 40},
            "image_size": 32,
            "channels": 3,
        },
        "zoo": {
            "own": {"open": str(place), "interface": parse_input("rgb,imagenet").to_json(), **own},
            "source": "resnet18",
            "architectures": ["resnet18", "vgg13_bn"],
            "widths": {"default": 0.125},
            "training": {"epochs": 1, "batch_size": 32, "learning_rate": 0.1},
            "levels": {"finetune": ["FTLL", "FTAL"], "prune": ["0.5"], "noise": [], "adversarial": []},
            "attacks": {"finetune": tune, "prune": tune, "distill": {"answers": "once"}},
            "pool": {"positive": [f"{STUDENT}-t1"], "negative": ["scratch-resnet18-t1"]},
        },
        "gans": {},
        "schemes": {},
    }


def opened(tmp_path, section):
    run = Run(parse_profile(section, "mine"), Layout(tmp_path / "out"))
    prepare(run)
    return run, ModelBuilder(plan_zoo(run), run.layout.data, run.layout.zoo, source_opener(run))


@pytest.fixture(scope="module")
def file(owner, tmp_path_factory):
    path = tmp_path_factory.mktemp("file") / "model.onnx"
    network = models.resnet18(num_classes=4)
    network.load_state_dict(torch.load(owner / "model.pt", weights_only=True)["state_dict"])
    batch = torch.export.Dim("batch", min=1, max=4096)
    torch.onnx.export(
        network.eval(),
        (torch.zeros(2, 3, 32, 32),),
        path,
        dynamo=True,
        external_data=False,
        dynamic_shapes=({0: batch},),
        verbose=False,
    )
    return path


def test_a_black_box_is_asked_each_image_once(owner, file, tmp_path):
    run, builder = opened(tmp_path, section(owner, file))
    card, _ = builder.build("source")
    assert card["test_accuracy"] > 0.9
    memory = AnswerMemory(tmp_path / "out" / "answers.sqlite", own_digest(run.profile.zoo.own))
    assert len(memory) == 40  # the test half
    taught, _ = builder.build(STUDENT)
    asked = len(memory)
    assert asked == 40 + 160
    assert taught["agreement"] > 0.4
    builder.build(f"{STUDENT}-t1")
    assert len(memory) == asked
    with pytest.raises(ArtifactError, match="black box, which has no weights"):
        load_model(run.layout.zoo / "source")


class Shades(torch.nn.Module):
    """Four classes from dark to light."""

    def __init__(self, white):
        super().__init__()
        self.white = white

    def forward(self, x):
        shades = x.float().mean((1, 2, 3), keepdim=True).flatten(1) / self.white
        return -(shades - torch.tensor([0.1, 0.3, 0.5, 0.7])).square()


@pytest.mark.parametrize(
    ("shape", "dtype", "how"),
    [
        ((2, 3, 48, 48), torch.float32, "nchw,float32,48x48"),
        ((1, 1, 48, 48), torch.float32, "nchw,float32,grey,48x48"),
        ((2, 48, 48, 3), torch.uint8, "nhwc,uint8,48x48"),
    ],
)
def test_a_program_is_asked_as_it_was_exported(shape, dtype, how, tmp_path):
    """A batch of one is of no other size, as nobody said that it may be."""
    batch = None if shape[0] == 1 else ({0: torch.export.Dim("batch", min=1, max=4096)},)
    network = Shades(255 if dtype == torch.uint8 else 1)
    program = torch.export.export(network, (torch.zeros(shape, dtype=dtype),), dynamic_shapes=batch)
    torch.export.save(program, tmp_path / "model.pt2")
    labels = np.arange(12) % 4
    images = np.tile((25 + 51 * labels).astype(np.uint8)[:, None, None, None], (1, 3, 32, 32))
    stated = parse_input("unit") if dtype == torch.float32 else Interface()
    model = open_own_model(NetworkConfig(str(tmp_path / "model.pt2"), interface=stated), 4, 3)
    found = model.find(Controls(images, labels), 4)
    assert (found.right, str(found.how)[: len(how)]) == (12, how)


class _Trap:
    """Unpickled, it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_program_that_would_run_code_as_it_is_opened_is_refused(tmp_path):
    program, sprung, buffer = torch.export.export(Shades(1), (torch.zeros(2, 3, 8, 8),)), tmp_path / "sprung", BytesIO()
    torch.export.save(program, tmp_path / "plain.pt2")
    torch.save((_Trap(sprung),), buffer)
    with ZipFile(tmp_path / "plain.pt2") as old, ZipFile(tmp_path / "model.pt2", "w") as new:
        for name in old.namelist():
            new.writestr(name, buffer.getvalue() if "/sample_inputs/" in name else old.read(name))
    with pytest.raises(ArtifactError, match=r"model\.pt2: expected plain tensors, got pickled objects"):
        open_own_model(NetworkConfig(str(tmp_path / "model.pt2")), 4, 3)
    assert not sprung.exists()


def test_it_answers_alike_wherever_it_is_met(owner, file, tmp_path):
    run, builder = opened(tmp_path, section(owner, file))
    builder.build("source")
    images = draw(12, 9)[0]
    source = load_source(run.layout)
    spec = builder.plan.lineage["source"]
    asked = open_own_model(run.profile.zoo.own, 4, 3).answers(images, 4)
    assert (predict(source, torch.from_numpy(images)).argmax(1).numpy() == asked.labels).all()
    assert (open_zoo_suspect(run.layout, spec, {})(images).argmax(1) == asked.labels).all()


def test_copies_of_a_network_keep_its_way_of_being_asked(owner, tmp_path):
    run, builder = opened(tmp_path, section(owner, "torchvision:resnet18", weights=str(owner / "model.pt")))
    builder.build("source")
    assert builder.plan.lineage["finetune-FTLL-source"].architecture == "own"
    card, _ = builder.build("finetune-FTLL-source")
    copy, source = (load_model(run.layout.zoo / name)[0] for name in ("finetune-FTLL-source", "source"))
    assert card["test_accuracy"] > 0.9
    assert torch.equal(copy.network.conv1.weight, source.network.conv1.weight)
    assert not torch.equal(copy.network.fc.weight, source.network.fc.weight)
    assert builder.build("prune-0.5-source")[0]["sparsity"] == pytest.approx(0.5, abs=0.01)


def test_copies_of_what_cannot_be_copied_are_refused(owner, file):
    described = section(owner, file)
    described["zoo"]["pool"]["positive"] = ["prune-0.5-source-t1"]
    with pytest.raises(ConfigError, match="a black box or not to be copied, expected distill or knockoff"):
        fingerbench(parse_profile(described, "mine").zoo)


def test_another_model_in_its_place_is_refused(owner, file, tmp_path):
    with pytest.raises(ConfigError, match="is not the model that this profile was written for; run `nf init` again"):
        opened(tmp_path, section(owner, file, digest="0" * 64))


def test_what_needs_gradients_refuses_a_black_box(owner, file, tmp_path):
    run, builder = opened(tmp_path, {**section(owner, file), "schemes": {"ipguard": {}, "random": {}}, "queries": 4})
    for name in ("source", f"{STUDENT}-t1", "scratch-resnet18-t1"):
        builder.build(name)
    with pytest.raises(ConfigError, match="ipguard: expected a source whose weights are known"):
        fingerprint(run, "ipguard")
    fingerprint(run, "random")
    with pytest.raises(ConfigError, match="detectors: expected a source whose weights are known"):
        detectors(run, "sagan")


def test_labels_alone_teach_too():
    asked = []

    def answer(images):
        asked.append(len(images))
        return Answers(np.where(images[:, 0, 0, 0] > 100, 1, -1))

    model = AnsweringClassifier(answer, 3, 1, "ab" * 32)
    images = torch.zeros(2, 1, 2, 2)
    images[0] = 0.9
    scores = model(images).softmax(1)
    assert scores[0].argmax() == 1
    assert torch.allclose(scores[1], torch.full((3,), 1 / 3))  # none of the owner's classes
    assert weights_hash(model) != weights_hash(AnsweringClassifier(answer, 3, 1, "cd" * 32))


def test_answers_before_one_that_fails_are_kept(tmp_path):
    """A server that fails in the middle has not been asked, and paid, for nothing."""
    asked = []

    def answer(images):
        asked.extend(images[:, 0, 0, 0].tolist())
        if failing and len(asked) > 100:
            raise SuspectError("busy")
        return Answers(np.zeros(len(images), np.int64))

    memory = AnswerMemory(tmp_path / "answers.sqlite", "model")
    model = AnsweringClassifier(answer, 3, 1, "ab" * 32, memory)
    images, failing = torch.arange(200, dtype=torch.uint8).reshape(-1, 1, 1, 1), True
    with pytest.raises(SuspectError, match="busy"):
        predict(model, images)
    kept = len(memory)
    assert 64 <= kept <= 100
    asked, failing = [], False
    assert predict(model, images).shape == (200, 3)
    assert asked == list(range(kept, 200))


def test_a_damaged_memory_is_named(tmp_path):
    (tmp_path / "answers.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(ArtifactError, match=r"answers.sqlite: expected a file of answers .* delete it"):
        AnswerMemory(tmp_path / "answers.sqlite", "model")

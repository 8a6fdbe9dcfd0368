"""The owner's model as the source of a zoo: a black box answers, a network with weights is copied, too."""

import numpy as np
import pytest
import torch
from torchvision import models

from nf.core.answer_memory import AnswerMemory
from nf.core.answers import Answers
from nf.core.errors import ArtifactError, ConfigError
from nf.core.interface import parse_input
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


def test_a_damaged_memory_is_named(tmp_path):
    (tmp_path / "answers.sqlite").write_bytes(b"no database" * 1000)
    with pytest.raises(ArtifactError, match=r"answers.sqlite: expected a file of answers .* delete it"):
        AnswerMemory(tmp_path / "answers.sqlite", "model")

"""Networks from outside as classifiers of the zoo."""

import pytest
import torch
from torch import nn
from torchvision import models

from nf.core.config import NetworkConfig
from nf.core.errors import ArtifactError, ConfigError
from nf.core.interface import Interface, parse_input
from nf.data import to_float
from nf.models import (
    accuracy,
    build_outside,
    load_checkpoint,
    load_model,
    network_digest,
    open_network,
    predict,
    round_weights,
    save_model,
    weights_hash,
)
from nf.stages.own_model import open_own_model
from tests.owner.conftest import draw, prepared

PLAIN = {"num_classes": 4, "in_channels": 3, "mean": (0.5,) * 3, "std": (0.25,) * 3}


def build(place, interface=None, **changes):
    return build_outside(open=place, interface=(interface or Interface()).to_json(), **{**PLAIN, **changes})


def test_it_answers_as_the_owners_own_code_does(owner):
    model = build("torchvision:resnet18", parse_input("imagenet"), weights=str(owner / "model.pt")).eval()
    images, labels = draw(80, 2)
    network = models.resnet18(num_classes=4)
    network.load_state_dict(torch.load(owner / "model.pt", weights_only=True)["state_dict"])
    with torch.no_grad():
        expected = network.eval()(prepared(images))
    given = predict(model, torch.from_numpy(images))
    assert torch.allclose(given, expected, atol=1e-4)
    assert (given.argmax(1).numpy() == labels).mean() > 0.9


def test_it_is_saved_and_read_like_any_model_of_the_zoo(owner, tmp_path):
    arguments = {"open": "torchvision:resnet18", "interface": parse_input("imagenet").to_json(), **PLAIN}
    model = build_outside(**arguments, weights=str(owner / "model.pt")).eval()
    save_model(tmp_path, model, arguments, {})
    images = torch.from_numpy(draw(8, 5)[0])
    assert torch.allclose(predict(load_model(tmp_path)[0], images), predict(model, images), atol=1e-3)


class Tied(nn.Module):
    """Two layers with the same weights, as encoders and decoders have them."""

    def __init__(self, num_classes):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(12, 12, bias=False), nn.Linear(12, 12, bias=False)
        self.decoder.weight = self.encoder.weight
        self.head = nn.Linear(12, num_classes)

    def forward(self, x):
        return self.head(self.decoder(self.encoder(x.flatten(1))))


def tied(num_classes):
    return Tied(num_classes)


@pytest.mark.parametrize("half", [False, True])
def test_tied_weights_are_saved_and_stay_tied(tmp_path, half):
    arguments = {"open": f"{__name__}:tied", "interface": {}, **PLAIN}
    model = build_outside(**arguments, seed=1).eval()
    if half:
        round_weights(model)
    card = save_model(tmp_path, model, arguments, {}, half=half)
    loaded, _ = load_model(tmp_path)
    assert loaded.network.decoder.weight is loaded.network.encoder.weight
    images = torch.from_numpy(draw(8, 5, size=2)[0])
    assert torch.equal(predict(loaded, images), predict(model, images))
    assert weights_hash(loaded) == weights_hash(model)
    assert half or card["weights_sha256"] == weights_hash(model)


@pytest.mark.parametrize(
    ("words", "shape"),
    [("48", (3, 48, 48)), ("48,crop=0.75,bicubic", (3, 48, 48)), ("grey", (1, 32, 32)), ("16,box", (3, 16, 16))],
)
def test_images_come_to_it_as_the_interface_says(words, shape):
    seen = []

    class Network(nn.Module):
        def forward(self, x):
            seen.append(tuple(x.shape[1:]))
            return x.mean((1, 2, 3))[:, None].expand(-1, 4)

    model = build("timm:mobilenetv3_small_050", parse_input(words))
    model.network = Network()
    model(torch.rand(2, 3, 32, 32))
    assert seen == [shape]


def test_each_class_of_the_owner_needs_a_place():
    with pytest.raises(ConfigError, match="expected a place for each of the owner's 4 classes, got none for 2"):
        build("torchvision:resnet18", Interface(classes=(-1, 3, 0, 1)))


def test_classes_in_another_order_are_the_owners():
    model = build("torchvision:resnet18", Interface(classes=(-1, 2, 0, 3, 1)))
    model.network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))
    images = torch.rand(3, 3, 8, 8)
    raw = model.network(model.prepared(images))
    assert torch.equal(model(images), raw[:, [2, 4, 1, 3]])


def five(num_classes):
    """A network of five classes, whatever is asked for."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 5))


def as_asked(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, num_classes))


@pytest.mark.parametrize(("place", "offset"), [("five", 0), ("five", 1), ("as_asked", 1)])
def test_classes_that_the_owner_does_not_have_are_left_out(place, offset):
    how = Interface(offset=offset)
    images, raw = draw(6, 3, size=8)[0], f"{__name__}:{place}"
    model = build(raw, how, seed=3)
    x = to_float(torch.from_numpy(images))
    whole = model.network(model.prepared(x))
    assert whole.shape == (6, 5)
    assert torch.equal(model(x), whole[:, offset : offset + 4])
    asked = open_own_model(NetworkConfig(raw, interface=how), 4, 3).answers(images, 4)
    assert ((asked.labels >= -1) & (asked.labels < 4)).all()


def one(num_classes):
    """A network that ends in one output, as two classes often have."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 8, 1))


def one_flat(num_classes):
    return nn.Sequential(one(num_classes), nn.Flatten(0))


def sigmoid(num_classes):
    return nn.Sequential(one(num_classes), nn.Sigmoid())


@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize(("place", "kind"), [("one", None), ("one_flat", "logits"), ("sigmoid", "probabilities")])
def test_a_network_with_one_output_knows_two_classes(place, kind, label, tmp_path):
    how = Interface(kind=kind, classes=(label,))
    model = build(f"{__name__}:{place}", how, num_classes=2, seed=3)
    x = torch.rand(6, 3, 8, 8)
    given = model.network(model.prepared(x)).flatten()
    given = given if kind == "probabilities" else given.sigmoid()
    assert model(x).shape == (6, 2)
    assert torch.allclose(model(x).softmax(1)[:, label], given, atol=1e-6)
    assert model.classifier.out_features == 1
    build_of = {"open": f"{__name__}:{place}", "interface": how.to_json(), **PLAIN, "num_classes": 2}
    save_model(tmp_path, model, build_of, {})
    assert torch.equal(load_model(tmp_path)[0](x), model(x))


def test_weights_of_one_output_are_met_without_a_word_of_it(tmp_path):
    network = models.resnet18(num_classes=1)
    torch.save(network.state_dict(), tmp_path / "model.pt")
    config = NetworkConfig("torchvision:resnet18", str(tmp_path / "model.pt"))
    assert torch.equal(open_network(config, 2, 3).fc.weight, network.fc.weight)
    with pytest.raises(ArtifactError, match=r"expected the weights of this network: .* shape in current model .*3"):
        open_network(config, 3, 3)


def test_maps_of_one_pixel_are_logits():
    """A network that ends in a convolution: each image has its own answer, and a student learns that of its own."""
    model = build("timm:mobilenetv3_small_050", Interface(range=(0, 1)))
    model.network = nn.Conv2d(3, 4, 8)
    images, labels = torch.randint(0, 256, (6, 3, 8, 8), dtype=torch.uint8), torch.tensor([0, 1, 2, 3, 0, 1])
    expected = model.network(to_float(images))[:, :, 0, 0]
    assert torch.allclose(predict(model, images), expected)
    assert accuracy(model, images, labels) == pytest.approx(float((expected.argmax(1) == labels).float().mean()))


class HeadFirst(nn.Module):
    """A network that makes its last layer first."""

    def __init__(self, num_classes):
        super().__init__()
        self.head, self.neck = nn.Linear(6, num_classes), nn.Linear(12, 6)

    def forward(self, x):
        return self.head(self.neck(x.flatten(1)))


def head_first(num_classes):
    return HeadFirst(num_classes)


def test_the_last_layer_is_the_one_that_answers_wherever_it_is_made():
    model = build(f"{__name__}:head_first")
    assert model.classifier is model.network.head


@pytest.mark.parametrize(
    ("kind", "given"), [("logits", lambda x: x), ("probabilities", lambda x: x.softmax(1)), ("distances", lambda x: -x)]
)
def test_what_it_answers_with_becomes_logits(kind, given):
    """A student is taught by the softmax of them, which must be what the network means."""
    plain = nn.Sequential(nn.Flatten(), nn.Linear(12, 4))

    class Network(nn.Module):
        def forward(self, x):
            return given(plain(x))

    model = build("timm:mobilenetv3_small_050", Interface(range=(0, 1), kind=kind))
    model.network = Network()
    images = torch.rand(3, 3, 2, 2)
    assert torch.allclose(model(images).softmax(1), plain(images).softmax(1), atol=1e-5)


def test_a_timm_and_a_hugging_face_model_open(tmp_path, capfd):
    pytest.importorskip("timm")
    transformers = pytest.importorskip("transformers")
    assert build("timm:mobilenetv3_small_050").classifier.out_features == 4
    config = transformers.ViTConfig(
        image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    config.num_labels = 4
    transformers.ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    capfd.readouterr()  # what writing the folder says
    model = build(f"hf:{tmp_path / 'vit'}").eval()
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 4)
    assert capfd.readouterr() == ("", "")  # each worker opens it


def test_code_of_the_owners_own_is_called(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "from torch import nn\n"
        "def make(num_classes):\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(12, num_classes))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert build("mine:make")(torch.rand(1, 3, 2, 2)).shape == (1, 4)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("torchvision:resnet19", "torchvision:resnet19: expected a network"),
        ("timm:nothing", "timm:nothing: expected a network"),
        ("hf:/nowhere", "no folder /nowhere"),
        ("nowhere.at:all", "cannot be imported"),
    ],
)
def test_what_cannot_be_opened_is_said(place, message):
    with pytest.raises(ConfigError, match=message):
        open_network(NetworkConfig(place), 4, 3)


def test_weights_of_another_network_and_code_in_a_checkpoint_are_refused(owner, tmp_path):
    with pytest.raises(ArtifactError, match="expected the weights of this network"):
        build("torchvision:resnet34", weights=str(owner / "model.pt"))
    torch.save(models.resnet18(num_classes=4), tmp_path / "whole.pt")
    with pytest.raises(ArtifactError, match="expected weights and nothing else; save them with"):
        build("torchvision:resnet18", weights=str(tmp_path / "whole.pt"))
    with pytest.raises(ArtifactError, match="expected weights at"):
        build("torchvision:resnet18", weights=str(tmp_path / "none.pt"))


def test_a_pretrained_network_keeps_all_but_its_head(owner, tmp_path):
    network = models.resnet18(num_classes=9)
    before = network.fc.weight.clone()
    load_checkpoint(network, owner / "model.pt", other_head=True)
    known = torch.load(owner / "model.pt", weights_only=True)["state_dict"]
    assert torch.equal(network.conv1.weight, known["conv1.weight"])
    assert torch.equal(network.fc.weight, before)


def test_the_digest_tells_weights_and_ways_of_asking_apart(owner, tmp_path):
    one = NetworkConfig("torchvision:resnet18", str(owner / "model.pt"))
    other = NetworkConfig("torchvision:resnet18", str(owner / "model.pt"), parse_input("imagenet"))
    assert network_digest(one) != network_digest(other)
    assert network_digest(one) == network_digest(NetworkConfig("torchvision:resnet18", str(owner / "model.pt")))
    torch.save({}, tmp_path / "model.pt")
    assert network_digest(one) != network_digest(NetworkConfig("torchvision:resnet18", str(tmp_path / "model.pt")))

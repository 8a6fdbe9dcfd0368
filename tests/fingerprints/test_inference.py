import torch
from torch import Tensor, nn

from nf.data import to_bytes, to_float
from nf.models import build_classifier, save_model
from nf.models.inference import freeze, predicted_labels, weights_hash


class Untraceable(nn.Module):
    """Python code that depends on its input, which symbolic tracing cannot follow."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        return self.network(images) if images.mean() > 0.5 else -self.network(images)


def settled(network: nn.Module) -> nn.Module:
    """Give batch norm statistics that are not those it starts with."""
    with torch.no_grad():
        network.train()(torch.rand(64, 1, 16, 16, generator=torch.Generator().manual_seed(1)))
    return network.eval()


def test_frozen_copy_answers_alike_without_batch_norm_and_leaves_the_original_alone(small_network):
    network = settled(small_network(0))
    frozen = freeze(network)
    images = torch.rand(8, 1, 16, 16)
    torch.testing.assert_close(frozen(images), network(images), atol=1e-5, rtol=1e-4)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    assert not any(weight.requires_grad for weight in frozen.parameters())
    assert sum(isinstance(module, nn.BatchNorm2d) for module in network.modules()) == 2
    assert all(weight.requires_grad for weight in network.parameters())


def test_architectures_of_the_zoo_are_folded():
    network = build_classifier("resnet18", width=0.125, in_channels=1, num_classes=10, mean=[0.3], std=[0.3], seed=0)
    frozen = freeze(settled(network))
    images = torch.rand(4, 1, 16, 16)
    torch.testing.assert_close(frozen(images), network(images), atol=1e-4, rtol=1e-3)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())


def test_a_network_that_cannot_be_traced_is_frozen_unfolded(small_network):
    network = Untraceable(small_network(0)).eval()
    frozen = freeze(network)
    images = torch.rand(4, 1, 16, 16)
    torch.testing.assert_close(frozen(images), network(images), atol=1e-6, rtol=1e-5)
    assert any(isinstance(module, nn.BatchNorm2d) for module in frozen.modules())
    assert not any(weight.requires_grad for weight in frozen.parameters())


def test_labels_do_not_depend_on_the_batch_size(small_network):
    network, images = small_network(0), torch.rand(10, 1, 16, 16)
    assert torch.equal(predicted_labels(network, images, batch_size=3), network(images).argmax(dim=1))


def test_every_byte_survives_the_way_to_float_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    assert torch.equal(to_bytes(to_float(every)), every)
    assert to_bytes(torch.tensor([-0.1, 0.4 / 255, 0.6 / 255, 1.1])).tolist() == [0, 0, 1, 255]


def test_the_hash_is_that_of_the_weights_file(tmp_path):
    build = {"architecture": "squeezenet", "width": 0.125, "in_channels": 1, "num_classes": 10, "mean": [0], "std": [1]}
    network = build_classifier(**build, seed=0)
    card = save_model(tmp_path, network, build, {})
    assert weights_hash(network) == card["weights_sha256"]
    with torch.no_grad():
        next(network.parameters()).view(-1)[0] += 1e-3
    assert weights_hash(network) != card["weights_sha256"]

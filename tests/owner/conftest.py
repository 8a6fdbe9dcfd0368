"""An owner with small coloured images in folders, and a model of torchvision's trained on them outside."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torchvision import models

CLASSES = ("blue 9", "grün", "red 10", "weiß")
COLOURS = np.array([(40, 60, 220), (60, 200, 80), (220, 50, 60), (230, 230, 230)])


def draw(count, seed, size=32):
    """Noisy squares of four colours, in turn."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    images = rng.normal(90, 40, (count, 3, size, size))
    for image, label in zip(images, labels, strict=True):
        top, left = rng.integers(0, size // 2, 2)
        image[:, top : top + size // 2, left : left + size // 2] = COLOURS[label][:, None, None]
    return np.clip(images, 0, 255).astype(np.uint8), labels.astype(np.int64)


def write_folder(root, images, labels, names=CLASSES):
    for number, (image, label) in enumerate(zip(images, labels, strict=True)):
        path = root / names[label] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.moveaxis(image, 0, -1)).save(path)


def prepared(images):
    """What the owner's own code does with images: ImageNet's mean and deviation."""
    x = torch.from_numpy(images).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1)


def train_outside(network, images, labels, epochs=10, sizes=(None,)):
    """Plain torch, as an owner would, with a rate that falls: processors round otherwise, and all are to end alike.

    Batches are of ``sizes`` in turn, ``None`` for that of the images.
    """
    x, y = prepared(images), torch.from_numpy(labels)
    optimizer = torch.optim.Adam(network.parameters(), 1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * -(-len(x) // 32))
    generator = torch.Generator().manual_seed(0)
    network.train()
    for _ in range(epochs):
        for number, index in enumerate(torch.randperm(len(x), generator=generator).split(32)):
            size = sizes[number % len(sizes)]
            batch = x[index] if size is None else nn.functional.interpolate(x[index], (size, size), mode="bilinear")
            loss = nn.functional.cross_entropy(network(batch), y[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


def small(num_classes):
    """A network that learns what ``draw`` draws at once."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.Flatten(), nn.Linear(16 * 7 * 7, num_classes)
    )


@pytest.fixture(scope="session")
def owner(made_once) -> Path:
    """A folder with ``images/train``, ``images/test``, ``others`` and ``model.pt``, a checkpoint of ResNet18."""
    return made_once("owner", fill_owner)


def fill_owner(root: Path) -> None:
    for place, count, seed in (("images/train", 160, 1), ("images/test", 80, 2), ("others", 160, 3)):
        write_folder(root / place, *draw(count, seed))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = train_outside(models.resnet18(num_classes=len(CLASSES)), *draw(160, 1), sizes=(None, 48))
    torch.save({"state_dict": network.state_dict(), "epoch": 10}, root / "model.pt")

"""How large the zoo of an owner's model may be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Size:
    """How large a zoo is.

    Attributes:
        architectures: networks of students and honest models: different, and fast on a CPU.
        suspects: those of the suspects, the source's stand-in first.
        training: networks of the models that queries are made from, and how many students of each.
        calibration: number of calibration models of each kind.
    """

    architectures: tuple[str, ...]
    suspects: tuple[str, ...]
    training: tuple[tuple[str, ...], int]
    calibration: Mapping[str, int]

    def with_networks(self, names: tuple[str, ...]) -> "Size":
        """With architectures from outside among all but the suspects; the number of calibration models stays."""
        honest, students = self.training
        return replace(self, architectures=self.architectures + names, training=(honest + names, students))


SIZES = (
    Size(
        ("resnet18", "vgg13_bn", "se_resnet18", "squeezenet", "vgg16_bn"),
        ("resnet18", "vgg16_bn"),
        (("resnet18", "squeezenet", "vgg13_bn", "vgg16_bn"), 2),
        {
            "copies": 10,
            "students": 20,
            "independent": 20,
            "independent_offspring": 12,
            "twins": 20,
            "twin_offspring": 8,
        },
    ),
    Size(
        ("resnet18", "vgg13_bn", "squeezenet", "vgg16_bn"),
        ("resnet18", "vgg16_bn"),
        (("resnet18", "squeezenet", "vgg13_bn"), 2),
        {"copies": 8, "students": 10, "independent": 12, "independent_offspring": 6, "twins": 10, "twin_offspring": 4},
    ),
    Size(
        ("resnet18", "vgg13_bn"),
        ("resnet18", "vgg13_bn"),
        (("resnet18", "vgg13_bn"), 1),
        {"copies": 4, "students": 6, "independent": 6, "independent_offspring": 2, "twins": 6, "twin_offspring": 2},
    ),
)
"""From the largest to the smallest, which is for an owner without time: few lineages tell little of rare errors."""

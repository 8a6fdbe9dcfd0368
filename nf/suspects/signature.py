"""What a file declares of the network in it."""

from dataclasses import dataclass

from nf.core.printing import printable

_SHOWN = 80  # characters of a name from the file


@dataclass(frozen=True)
class Port:
    """One input or output of a file.

    Attributes:
        name: as the file has it.
        dtype: numpy's name of its numbers, ``string``, or another name that no numpy type has.
        shape: sizes of its dimensions, ``None`` where the file leaves one open; ``None`` where it says nothing.
        mapping: whether it holds a sequence of maps from classes to scores, as scikit-learn's converters write.
    """

    name: str
    dtype: str
    shape: tuple[int | None, ...] | None
    mapping: bool = False

    def __str__(self) -> str:
        sizes = "any shape" if self.shape is None else f"shape ({', '.join(str(d or '?') for d in self.shape)})"
        return f"{printable(self.name)[:_SHOWN]!r} of {self.dtype} and {sizes}"


@dataclass(frozen=True)
class Signature:
    """What a file says of itself.

    Attributes:
        inputs: inputs that are no weights.
        outputs: outputs, in the order of the file.
    """

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]

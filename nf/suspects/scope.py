"""What can be stated of a kind of suspect. The rest is refused, as the evidence would say that it was asked so."""

from collections.abc import Collection
from dataclasses import dataclass

from nf.core.interface import Interface, Layout

ANSWERS = ("kind", "labels", "offset", "classes")
"""Fields of ``Interface`` that say what answers mean."""

PICTURE = ("size", "resize", "crop", "channels")
"""Fields that show in the file of a picture."""

NUMBERS = (*PICTURE, "dtype", "range", "mean", "std")
"""Fields that show in the numbers of an image."""


@dataclass(frozen=True)
class Scope:
    """What can be stated of one kind of suspect.

    Attributes:
        suspect: name of the kind, for messages.
        fields: fields of ``Interface`` that a suspect of this kind heeds.
        layout: the only layout in which it can be asked; ``None`` where ``fields`` decides.
    """

    suspect: str
    fields: Collection[str]
    layout: Layout | None = None

    def heeded(self, stated: Interface) -> Interface:
        """The part of ``stated`` that it heeds."""
        return Interface.of(
            **{
                name: value
                for name, value in stated.stated().items()
                if name in self.fields or (name == "layout" and value == self.layout)
            }
        )

    def refusal(self, stated: Interface) -> str | None:
        """Why it cannot be asked as is ``stated``; ``None`` if it can."""
        heeded = self.heeded(stated).stated()
        rest = {name: value for name, value in stated.stated().items() if name not in heeded}
        if not rest:
            return None
        known = ", ".join((*self.fields, *([] if self.layout is None else [f"layout {self.layout}"])))
        return f"input: expected nothing but {known} for {self.suspect}, got {Interface.of(**rest)}"

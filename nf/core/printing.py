"""Text of a stranger's making on its way to a terminal or into a message."""


def printable(text: str) -> str:
    """``text`` as one line that can be read and nothing else: what would steer a terminal becomes a mark."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def first_line(error: Exception) -> str:
    """What ``error`` says first, or its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

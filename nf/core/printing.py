"""Text of a stranger's making on its way to a terminal."""


def printable(text: str) -> str:
    """``text`` as one line that can be read and nothing else: what would steer a terminal becomes a mark."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)

"""Untrusted text on its way to a terminal or into a message."""


def printable(text: str) -> str:
    """``text`` as one harmless line: every character that would steer a terminal becomes a replacement character."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def first_line(error: Exception) -> str:
    """The first line of the message of ``error``, or the name of its class if it has no message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

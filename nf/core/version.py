"""The version, in its one place: the wheel's and the images' are read from here."""

VERSION = "1.0.0"

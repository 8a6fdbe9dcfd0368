"""Errors that a user can put right. The command line prints each as one line and exits with status 2."""

from collections.abc import Iterable


class NFError(Exception):
    """Base of all errors that a user of the project can put right."""


class ConfigError(NFError, ValueError):
    """Raised when ``params.yaml`` or an argument holds a value that cannot be used."""


class UnknownNameError(ConfigError):
    """Raised when a name is not in its registry; the message lists the names that are."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        # What it is made of, as an error that another process raised is made again here.
        super().__init__(kind, name, tuple(sorted(known)))

    def __str__(self) -> str:
        kind, name, known = self.args
        return f"unknown {kind} {name!r}: expected one of {', '.join(known)}"


class DataError(NFError):
    """Raised when a data source is missing, unreadable or too small."""


class ArtifactError(NFError):
    """Raised when a file that the project wrote earlier is missing, damaged or of another kind."""


class RetiredSetError(ArtifactError):
    """Raised when a query set is to be shown that a newer one has replaced since it was looked up."""


class TrainingError(NFError):
    """Raised when training diverges or collapses."""


class SuspectError(NFError):
    """Raised when a suspect cannot be loaded, refuses a query or answers in another form than stated."""


class QueryBudgetError(SuspectError):
    """Raised when a suspect would be sent more images than were allowed."""


class NotEnoughQueriesError(NFError):
    """Raised when fewer queries survive the screening than were wanted; says how many fell at which test."""


class NoVerdictError(SuspectError):
    """Raised when a suspect does not answer as a classifier of the owner's classes would, whatever its origin."""

"""The entries of a query set's card that a verdict needs."""

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet

_RESTORE = "restore its folder with `dvc checkout --force FOLDER`"


def check_card(queries: QuerySet) -> None:
    """Check that ``queries`` allow a verdict.

    Call it before a suspect is sent anything: a query set that it has seen is spent.

    Raises:
        ArtifactError: the card has no scheme or usable threshold.
    """
    scheme_of(queries)
    threshold_of(queries)


def scheme_of(queries: QuerySet) -> str:
    """The scheme that made ``queries``, as their card says.

    Raises:
        ArtifactError: the card names no scheme.
    """
    scheme = queries.card.get("scheme")
    if not isinstance(scheme, str) or not scheme:
        raise ArtifactError(f"the query set's card: expected the name of a scheme, got {scheme!r}; {_RESTORE}")
    return scheme


def threshold_of(queries: QuerySet) -> float:
    """The threshold in the card of ``queries``, in [0, 1].

    Raises:
        ArtifactError: the card has no threshold, or one outside [0, 1].
    """
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ArtifactError(f"the query set's card: expected a threshold in [0, 1], got {threshold!r}; {_RESTORE}")
    return float(threshold)

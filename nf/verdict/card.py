"""What a query set's card must say before a verdict can rest on it."""

from nf.core.errors import ArtifactError
from nf.core.queries import QuerySet

_RESTORE = "restore its folder with `dvc checkout --force FOLDER`"


def check_card(queries: QuerySet) -> None:
    """Check that ``queries`` allow a verdict: before a suspect is asked, as those that it has seen are spent.

    Raises:
        ArtifactError: the card has no scheme or usable threshold.
    """
    scheme_of(queries)
    threshold_of(queries)


def scheme_of(queries: QuerySet) -> str:
    """The scheme that made ``queries``, as their card says.

    Raises:
        ArtifactError: it names none.
    """
    scheme = queries.card.get("scheme")
    if not isinstance(scheme, str) or not scheme:
        raise ArtifactError(f"the query set's card: expected the name of a scheme, got {scheme!r}; {_RESTORE}")
    return scheme


def threshold_of(queries: QuerySet) -> float:
    """The threshold in the card of ``queries``, in [0, 1].

    Raises:
        ArtifactError: there is none that can be used.
    """
    threshold = queries.card.get("threshold")
    if not isinstance(threshold, int | float) or isinstance(threshold, bool) or not 0 <= threshold <= 1:
        raise ArtifactError(f"the query set's card: expected a threshold in [0, 1], got {threshold!r}; {_RESTORE}")
    return float(threshold)

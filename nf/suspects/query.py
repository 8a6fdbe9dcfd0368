"""Putting the queries to a suspect."""

import numpy as np

from nf.core.answers import Answers
from nf.core.errors import SuspectError
from nf.core.interface import Kind
from nf.core.predictor import Predictor
from nf.core.queries import QuerySet
from nf.suspects.answers import check_answers, look_like_probabilities
from nf.suspects.interpret import Raw


def ask(predictor: Predictor, queries: QuerySet) -> Answers:
    """Ask every query once; ``queries.score`` makes a score of the answers.

    Raises:
        SuspectError: the suspect does not answer, answers in another form than stated, or knows other classes than the
            source model: as many as the query set's card says, or, without that, at least those of its labels. A
            verifier's score hangs on the form, so to it logits must not look like probabilities.
    """
    answers = check_answers(predictor(queries.images), predictor.output, len(queries))
    known = queries.card.get("num_classes")
    if predictor.output == "labels":
        if known is not None and answers.max() >= known:
            raise SuspectError(f"expected labels from 0 to {known - 1}, got {answers.max()}; the first class is 0")
    else:
        given = answers.shape[1]
        if known is not None and given != known:
            raise SuspectError(f"expected {known} classes, as the source model has, got {given}")
        if given <= queries.labels.max():
            raise SuspectError(f"expected {queries.labels.max() + 1} classes or more, as in the query set, got {given}")
        check_logits(answers, predictor.output, queries)
    return Answers.of(answers, predictor.output)


def check_logits(raw: Raw, kind: Kind | None, queries: QuerySet) -> None:
    """Refuse probabilities that are said to be logits, of which a verifier would get the softmax.

    Args:
        raw: the answers of one output, after ``interpret`` or ``check_answers``.
        kind: what they are said to be; ``None`` stands for logits.
        queries: the query set, which has a verifier or not.

    Raises:
        SuspectError: they look like probabilities.
    """
    if queries.verifier is None or kind not in (None, "logits") or not isinstance(raw, np.ndarray):
        return
    if raw.ndim == 2 and look_like_probabilities(raw):
        raise SuspectError(
            "expected logits, got numbers in [0, 1] that add up to 1 for every image; if these are probabilities, "
            "say so"
        )

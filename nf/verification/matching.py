"""The matching rate: how often a suspect gives a query the label that a stolen model would (paper, section 4.1)."""

import numpy as np
from numpy.typing import NDArray

from nf.core.errors import SuspectError
from nf.core.predictor import OutputKind, Predictor
from nf.core.queries import QuerySet
from nf.verification.answers import check_answers


def predicted_labels(answers: NDArray[np.generic], output: OutputKind) -> NDArray[np.int64]:
    """(N,) labels from (N, classes) logits or probabilities, or from labels as they are.

    Raises:
        SuspectError: the answers are not of the form that ``output`` states.
    """
    checked = check_answers(answers, output, len(answers))
    return checked.astype(np.int64) if output == "labels" else checked.argmax(axis=1).astype(np.int64)


def ask(predictor: Predictor, queries: QuerySet) -> NDArray[np.int64]:
    """Ask every query once; returns the suspect's (N,) labels.

    Raises:
        SuspectError: the suspect does not answer, answers in another form than stated, or knows other classes than the
            source model: as many as the query set's card says, or, without that, at least those of its labels.
    """
    answers = check_answers(predictor(queries.images), predictor.output, len(queries))
    if predictor.output != "labels":
        known, given = queries.card.get("num_classes"), answers.shape[1]
        if known is not None and given != known:
            raise SuspectError(f"expected {known} classes, as the source model has, got {given}")
        if given <= queries.labels.max():
            raise SuspectError(f"expected {queries.labels.max() + 1} classes or more, as in the query set, got {given}")
    return predicted_labels(answers, predictor.output)


def matching_rate(labels: NDArray[np.int64], queries: QuerySet) -> float:
    """Share in [0, 1] of the queries that a suspect labels like the source model and its thieves.

    Args:
        labels: (N,) answers of the suspect, in the order of ``queries``.
        queries: N queries.

    Raises:
        SuspectError: there is not one integer label per query.
    """
    checked = check_answers(labels, "labels", len(queries))
    return float((checked == queries.labels).mean())

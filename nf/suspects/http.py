"""A suspect behind an address that speaks the Open Inference Protocol, put together from its parts."""

from dataclasses import replace
from pathlib import Path

from nf.core.errors import ConfigError
from nf.core.http import Client, check_address, check_token
from nf.core.interface import Interface
from nf.core.predictor import OutputKind
from nf.suspects.journal import Journal
from nf.suspects.manners import Caller, Manners
from nf.suspects.served import ServedSuspect
from nf.suspects.v2 import V2


class HttpSuspect(ServedSuspect):
    """A classifier behind HTTP as a black box; see ``nf.core.predictor.Predictor``.

    It gets one image a request, as from any customer.

    Args:
        address: address of the model, ``https://host/v2/models/<name>``, with ``/versions/<version>`` if one is meant.
        output: what its answers mean.
        timeout_seconds: for each image, in the place of what ``manners`` say.
        token: sent as bearer token.
        how: what is stated of how it is asked.
        manners: limits of the run.
        journal: folder for answers as they come, so that a run that is cut can go on.

    Raises:
        ConfigError: the address is not one of HTTP or goes on behind the model, or the token cannot be sent.
    """

    def __init__(
        self,
        address: str,
        *,
        output: OutputKind = "logits",
        timeout_seconds: float | None = None,
        token: str | None = None,
        how: Interface | None = None,
        manners: Manners | None = None,
        journal: Path | None = None,
    ) -> None:
        parts = check_address(address, "suspect")
        if parts.query or parts.fragment:
            raise ConfigError(
                "suspect: expected the address of a model, got one with '?' or '#'; what the server is to know callers "
                "by is a token"
            )
        manners = manners or Manners()
        if timeout_seconds is not None:
            manners = replace(manners, timeout=timeout_seconds)
        sent = check_token(token, "token")
        client = Client({} if sent is None else {"Authorization": f"Bearer {sent}"})
        kept = None if journal is None else Journal(journal, address.rstrip("/"))
        super().__init__(V2(address), Caller(client, manners, kept), output=output, how=how)

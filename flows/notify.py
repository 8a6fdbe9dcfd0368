"""Telling others that a verdict changed: a Prefect event, and an HTTP POST where an address is set.

``NF_WEBHOOK_URL`` names the address and ``NF_WEBHOOK_TOKEN`` what is sent as bearer token; of both, the host alone is
ever logged.
"""

import os
from collections.abc import Mapping
from typing import Any

from prefect.events import emit_event

from nf.core.errors import NFError
from nf.core.http import HttpError, check_address, check_token, request
from nf.monitoring import Change

_TIMEOUT_SECONDS = 10.0


def emit_change(profile: str, change: Change) -> None:
    """Emit the event ``naturalfinger.verdict.changed`` about one suspect, on which an automation can act."""
    emit_event(
        event="naturalfinger.verdict.changed",
        resource={
            "prefect.resource.id": f"naturalfinger.suspect.{profile}.{change.suspect}",
            "prefect.resource.name": change.suspect,
        },
        payload=change.to_json(),
    )


def call_webhook(message: Mapping[str, Any], timeout: float = _TIMEOUT_SECONDS) -> None:
    """POST ``message`` as JSON to ``NF_WEBHOOK_URL``; without that variable do nothing.

    Redirects are not followed: the token is for that address alone.

    Raises:
        ConfigError: the address is not one of HTTP, or address or token hold what no request may.
        NFError: nobody answers within ``timeout`` seconds, or with another status than 2xx.
    """
    url = os.environ.get("NF_WEBHOOK_URL", "").strip()  # a file that a secret comes from ends in a line break
    if not url:
        return
    host = check_address(url, "NF_WEBHOOK_URL").hostname
    token = check_token(os.environ.get("NF_WEBHOOK_TOKEN"), "NF_WEBHOOK_TOKEN")
    try:
        request(url, message, token=token, timeout=timeout, most_bytes=0)  # a status is answer enough
    except HttpError as error:
        raise NFError(f"webhook at {host}: {error}") from None

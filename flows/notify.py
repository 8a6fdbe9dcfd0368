"""Telling others that a verdict changed: a Prefect event, and an HTTP POST where an address is set.

``NF_WEBHOOK_URL`` names the address and ``NF_WEBHOOK_TOKEN`` what is sent as bearer token; neither is ever logged.
"""

import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from prefect.events import emit_event

from nf.core.errors import ConfigError, NFError
from nf.verification import Change

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
        ConfigError: the address is not one of HTTP.
        NFError: nobody answers within ``timeout`` seconds, or with another status than 2xx.
    """
    url = os.environ.get("NF_WEBHOOK_URL")
    if not url:
        return
    place = urlsplit(url)
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ConfigError("NF_WEBHOOK_URL: expected an address that begins with http:// or https://, got another")
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("NF_WEBHOOK_TOKEN"):
        headers["Authorization"] = f"Bearer {token}"
    request = urllib.request.Request(url, json.dumps(message).encode(), headers)
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return
    except urllib.error.HTTPError as error:
        with error:
            raise NFError(f"webhook at {place.hostname}: expected status 2xx, got {error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise NFError(f"webhook at {place.hostname}: expected an answer within {timeout:g} s, got {reason}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None

"""Telling others that a verdict changed: a Prefect event, and an HTTP POST where an address is set.

``NF_WEBHOOK_URL`` names the address and ``NF_WEBHOOK_TOKEN`` what is sent as bearer token; of both, the host alone is
ever logged.
"""

import http.client
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

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
        ConfigError: the address is not one of HTTP, or address or token hold what no request may.
        NFError: nobody answers within ``timeout`` seconds, or with another status than 2xx.
    """
    url = os.environ.get("NF_WEBHOOK_URL", "").strip()  # a file that a secret comes from ends in a line break
    if not url:
        return
    place = _place(url)
    headers = {"Content-Type": "application/json"}
    if token := os.environ.get("NF_WEBHOOK_TOKEN", "").strip():
        headers["Authorization"] = f"Bearer {token}"
    body = json.dumps(message).encode()
    try:
        request = urllib.request.Request(url, body, headers)
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=timeout):
            return
    except urllib.error.HTTPError as error:
        with error:
            raise NFError(f"webhook at {place.hostname}: expected status 2xx, got {error.code}") from None
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise NFError(f"webhook at {place.hostname}: expected an answer within {timeout:g} s, got {reason}") from None
    # These quote the address, the token or what the server made of them.
    except (ValueError, http.client.InvalidURL):
        raise ConfigError(
            "NF_WEBHOOK_URL, NF_WEBHOOK_TOKEN: expected what fits into a request of HTTP, got another character; look "
            "for spaces, line breaks and letters beyond ASCII"
        ) from None
    except http.client.HTTPException:
        raise NFError(f"webhook at {place.hostname}: expected an answer in HTTP, got another") from None


def _place(url: str) -> SplitResult:
    try:
        place = urlsplit(url)
        _ = place.port  # read only now
    except ValueError:
        raise ConfigError("NF_WEBHOOK_URL: expected host and port as in https://host:443/, got others") from None
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ConfigError("NF_WEBHOOK_URL: expected an address that begins with http:// or https://, got another")
    if "@" in place.netloc:
        raise ConfigError(
            "NF_WEBHOOK_URL: expected an address without user name and password, got one with; what the server is to "
            "know callers by is NF_WEBHOOK_TOKEN"
        )
    return place


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None

"""Signature Version 4, by which services of AWS know callers.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote, urlsplit

from nf.core.errors import ConfigError

_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True)
class Aws:
    """Where a service is.

    The keys come from ``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY`` and, for temporary ones, ``AWS_SESSION_TOKEN``.

    Attributes:
        service: as in the scope of a signature: ``sagemaker`` or ``rekognition``.
        region: such as ``eu-central-1``.
    """

    service: str
    region: str

    def keys(self) -> list[str]:
        """Identity, secret, and the token of temporary keys.

        Raises:
            ConfigError: a variable is not set.
        """
        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
        for name in names:
            if not os.environ.get(name):
                raise ConfigError(f"aws: expected a value in the environment variable {name}, found none")
        found = [os.environ[name].strip() for name in names]
        return [*found, *filter(None, [os.environ.get("AWS_SESSION_TOKEN", "").strip()])]


def sign(
    address: str, content: bytes, headers: Mapping[str, str], aws: Aws, at: datetime | None = None
) -> dict[str, str]:
    """The headers that sign a POST of ``content``.

    Args:
        address: with what stands behind ``?``.
        content: the body.
        headers: headers that go along; the type of the content and those of AWS are signed.
        aws: region and name of the service.
        at: moment of the signature, now by default.

    Raises:
        ConfigError: there are no keys.
    """
    identity, secret, *token = aws.keys()
    parts, moment = urlsplit(address), (at or datetime.now(UTC)).strftime("%Y%m%dT%H%M%SZ")
    added = {"X-Amz-Date": moment, **({"X-Amz-Security-Token": token[0]} if token else {})}
    known = {name.lower(): " ".join(value.split()) for name, value in {**headers, **added}.items()}
    signed = {name: value for name, value in known.items() if name == "content-type" or name.startswith("x-amz-")}
    signed = dict(sorted({"host": parts.netloc.lower(), **signed}.items()))
    query = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in parse_qsl(parts.query))
    names = ";".join(signed)
    lines = (
        "POST",
        quote(parts.path or "/", safe="/-_.~"),
        "&".join(f"{name}={value}" for name, value in query),
        *(f"{name}:{value}" for name, value in signed.items()),
        "",
        names,
        sha256(content).hexdigest(),
    )
    scope = f"{moment[:8]}/{aws.region}/{aws.service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, sha256("\n".join(lines).encode()).hexdigest()))
    key = f"AWS4{secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"Credential={identity}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**added, "Authorization": f"{_ALGORITHM} {credential}"}

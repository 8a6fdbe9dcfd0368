"""Signatures against those of botocore, which signs what the AWS tools send."""

from datetime import UTC, datetime

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from nf.core.errors import ConfigError
from nf.suspects.aws import Aws, sign


@pytest.mark.parametrize("token", [None, "temporary/token=="])
@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (
            "https://runtime.sagemaker.eu-central-1.amazonaws.com/endpoints/shop/invocations",
            {"Content-Type": "image/png"},
        ),
        ("https://rekognition.eu-central-1.amazonaws.com/", {"X-Amz-Target": "Service.Do", "Content-Type": "a/b"}),
        ("https://host.example/a%20b/c?z=1&a=x%20y&a=b", {"Content-Type": "a/b", "Accept-Encoding": "gzip"}),
        ("https://host.example", {}),
    ],
)
def test_signatures_are_those_of_botocore(monkeypatch, token, address, headers):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    if token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)
    ours = sign(address, b"\x89PNG", headers, Aws("sagemaker", "eu-central-1"))

    signed = {name: value for name, value in headers.items() if name != "Accept-Encoding"}
    request = AWSRequest("POST", address, headers=signed, data=b"\x89PNG")
    credentials = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token)
    signer = SigV4Auth(credentials, "sagemaker", "eu-central-1")
    moment = datetime.strptime(ours["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: moment)
    signer.add_auth(request)
    assert ours["X-Amz-Date"] == request.headers["X-Amz-Date"]
    assert ours["Authorization"] == request.headers["Authorization"]
    assert ours.get("X-Amz-Security-Token") == token


def test_keys_that_are_not_there(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY", raising=False)
    with pytest.raises(ConfigError, match="aws: expected a value in the environment variable AWS_SECRET_ACCESS_KEY"):
        Aws("sagemaker", "eu-central-1").keys()

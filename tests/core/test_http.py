"""What a request may say when it fails."""

import pytest

from nf.core.http import HttpError, request


def test_a_header_that_cannot_be_sent_is_said_at_once_and_not_shown():
    with pytest.raises(HttpError, match="expected an address and a token that HTTP can send, got others") as caught:
        request("http://127.0.0.1:9/", token="SEC\nRET", timeout=60)
    assert caught.value.__cause__ is None
    assert "SEC" not in str(caught.value)

import os

import pytest

from nf.core.threads import configure_math_libraries

NAME = "ONEDNN_PRIMITIVE_CACHE_CAPACITY"


def test_the_primitive_cache_is_enlarged(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(NAME, raising=False)
    configure_math_libraries()
    assert os.environ.pop(NAME) == "16384"


def test_what_the_user_has_set_stands(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(NAME, "7")
    configure_math_libraries()
    assert os.environ[NAME] == "7"

import os

import pytest

from nf.core.threads import configure_math_libraries

SETTINGS = {"ONEDNN_PRIMITIVE_CACHE_CAPACITY": "16384", "OMP_NUM_THREADS": "1"}


@pytest.mark.parametrize("name", SETTINGS)
def test_what_is_not_set_is_filled_in(name, monkeypatch: pytest.MonkeyPatch):
    for each in SETTINGS:
        monkeypatch.setenv(each, "7")
    monkeypatch.delenv(name)
    configure_math_libraries()
    assert {each: os.environ[each] for each in SETTINGS} == dict.fromkeys(SETTINGS, "7") | {name: SETTINGS[name]}

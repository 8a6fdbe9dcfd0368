import pytest

from flows.stages import run_stage
from nf.core.errors import ConfigError, UnknownNameError


@pytest.mark.parametrize(
    ("name", "item", "message"),
    [
        ("fingerprint", None, "fingerprint: expected the scheme that it is about as --item, got none"),
        ("variant", None, "variant: expected the item that it is about as --item, got none"),
        ("zoo", "naturalfinger", "zoo: expected no --item, got 'naturalfinger'"),
        ("prepare", "akh", "prepare: expected no --item, got 'akh'"),
    ],
)
def test_a_stage_gets_an_item_where_it_has_one(name, item, message):
    with pytest.raises(ConfigError, match=message):
        run_stage(name, "smoke", item)


def test_an_unknown_stage_is_refused():
    with pytest.raises(UnknownNameError, match="unknown stage 'ask': expected one of bench, compare"):
        run_stage("ask", "smoke", None)

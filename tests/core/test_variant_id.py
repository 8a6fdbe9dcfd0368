import pytest

from nf.core.errors import ConfigError
from nf.core.paths import Layout
from nf.core.variants import VariantId


@pytest.mark.parametrize("variant", [VariantId("none", 0), VariantId("label-transform", 12), VariantId("wgan_gp", 1)])
def test_the_name_says_which_variant_it_is(variant):
    assert VariantId.parse(str(variant)) == variant


def test_one_spelling_names_item_and_folder(tmp_path):
    variant = VariantId("label-transform", 2)
    assert str(variant) == "label-transform-2"
    assert Layout(tmp_path).variant(variant) == tmp_path / "variants" / "label-transform-2" / "metrics.json"


@pytest.mark.parametrize("text", ["", "twins", "-0", "twins-", "twins/0", "twins-one", "twins-01", "twins-²"])
def test_what_names_no_variant_and_seed_is_refused(text):
    with pytest.raises(ConfigError, match="variant: expected <name>-<seed>, such as twins-0, got "):
        VariantId.parse(text)


def test_a_seed_below_zero_which_would_read_as_part_of_the_name_is_refused():
    with pytest.raises(ConfigError, match="variant: expected a seed of 0 or more, got -1"):
        VariantId("label", -1)

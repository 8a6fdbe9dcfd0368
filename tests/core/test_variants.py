import pytest
import yaml

from nf.core.config import PoolConfig, load_profile
from nf.core.errors import ConfigError
from nf.fingerprints import make_scheme
from nf.gan import GANS

PARAMS = "params.yaml"


@pytest.fixture(scope="module")
def document(pytestconfig):
    return yaml.safe_load((pytestconfig.rootpath / PARAMS).read_text())


@pytest.mark.parametrize("profile", ["digits", "smoke", "cifar10", "cifar10-small", "cifar10-narrow"])
def test_every_variant_is_a_scheme_that_can_be_made(pytestconfig, document, profile):
    """What DVC runs is what the profiles define, but for the papers' settings, which take hours of two cores.

    Each change names a key of its scheme's section.
    """
    settings = load_profile(pytestconfig.rootpath / PARAMS, profile)
    papers = {name for name in settings.variants.each if "paper" in name}
    assert set(document["variants"]) == set(settings.variants.each) - papers
    for name, variant in settings.variants.each.items():
        assert make_scheme(variant.scheme, settings.variant_section(name)).name == variant.scheme


def test_the_ablation_has_all_twelve_combinations(pytestconfig):
    settings = load_profile(pytestconfig.rootpath / PARAMS, "digits")
    found = set()
    for name, variant in settings.variants.each.items():
        if name == "twins" or name in GANS or "paper" in name:
            continue
        config = make_scheme("naturalfinger", {**settings.schemes["naturalfinger"], **variant.changes}).config
        parts = {"label": config.label != "random", "transform": config.transforms != ("identity",)}
        parts[config.discriminator] = config.discriminator != "none"
        assert name == ("-".join(part for part, on in parts.items() if on) or "none")
        found.add(tuple(parts.items()))
    assert len(found) == 12


def test_fewer_models_are_picked_evenly_and_too_few_are_all_taken():
    pool = PoolConfig(tuple("abcdefgh"), tuple("ABC"), ())
    assert pool.at_most(4) == PoolConfig(("a", "c", "e", "g"), tuple("ABC"), ())
    assert pool.at_most(3) == PoolConfig(("a", "c", "f"), tuple("ABC"), ())
    assert pool.at_most(1) == PoolConfig(("a",), ("A",), ())


def test_a_variant_with_an_unknown_key_is_refused(document, tmp_path):
    document["profiles"]["smoke"]["variants"]["each"]["none"]["scheem"] = "naturalfinger"
    path = tmp_path / PARAMS
    path.write_text(yaml.safe_dump(document))
    with pytest.raises(ConfigError, match=r"variants\.each\.none: unknown key 'scheem'"):
        load_profile(path, "smoke")

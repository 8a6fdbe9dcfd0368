import pytest

from nf.core.errors import ConfigError
from nf.core.lineage import Lineage, ModelSpec, recipe_hashes


def spec(model_id, parent=None, **changes):
    return ModelSpec(model_id, "resnet18", "train", "negative", "B", parent=parent, **changes)


def test_parents_come_first_and_ancestors_nearest_first():
    lineage = Lineage((spec("c", "b"), spec("b", "a"), spec("a")))
    assert [s.id for s in lineage.specs] == ["a", "b", "c"]
    assert [s.id for s in lineage.ancestors("c")] == ["b", "a"]


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        ((spec("a"), spec("a")), "the zoo lists 'a' twice"),
        ((spec("a", "z"),), "'a' names the parent 'z', which is not in the zoo"),
        ((spec("a", mirror="z"),), "'a' names the mirror 'z', which is not in the zoo"),
        ((spec("a", "b"), spec("b", "a")), "the lineage of 'a' has a cycle through 'a'"),
    ],
)
def test_a_zoo_that_cannot_be_built(specs, message):
    with pytest.raises(ConfigError, match=message):
        Lineage(specs)


def test_a_changed_recipe_changes_the_model_and_its_descendants_only():
    lineage = Lineage((spec("a"), spec("b", "a"), spec("c", "b"), spec("d")))
    recipes = {model_id: {"epochs": 1} for model_id in "abcd"}
    before = recipe_hashes(lineage, recipes)
    after = recipe_hashes(lineage, {**recipes, "b": {"epochs": 2}})
    assert {model_id for model_id in "abcd" if before[model_id] != after[model_id]} == {"b", "c"}

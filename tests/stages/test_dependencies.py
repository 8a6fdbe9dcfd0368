"""What a stage runs and reads is what ``dvc.yaml`` says that it depends on: no more, no less.

Code is followed along imports, whole modules at a time. Settings and files are followed from the stage's function to
whatever it calls in ``nf.stages`` and ``flows``, as ``run.profile.<section>`` and ``run.layout.<artifact>``.
"""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import grimp
import pytest
import yaml

from nf.core.config import Profile
from nf.core.paths import Layout
from nf.stages import STAGES

ROOT = Path(__file__).resolve().parents[2]
LISTED = {
    name: stage.get("do", stage) for name, stage in yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"].items()
}
PROFILES = yaml.safe_load((ROOT / "params.yaml").read_text())["profiles"]
OUT = "out/${profile}"
PROFILE_FILE = "${profile_file}"

# They say what there is. Only the version gets into a stage's output, as a record: a release makes nothing anew.
BARE_PACKAGES = {"nf", "nf.stages", "flows"}
# Where a profile's work runs and on how many workers, and what it is called: its outputs are in a folder of that name.
WITHOUT_EFFECT = {"execution", "name", "seconds"}
# Read where they are there, and kept out of DVC on purpose (``Layout`` says so of each).
NO_OUTPUTS = {"decoy", "issued", "watch", "timings", "progress", "lock"}


def code_deps(stage):
    return [path for path in LISTED[stage]["deps"] if not path.startswith("out/")]


def params_of(stage):
    """Keys of the profile that the stage depends on, all in the file that the profile stands in."""
    listed = LISTED[stage].get("params", [])
    assert all(list(entry) == [PROFILE_FILE] for entry in listed)
    return [key for entry in listed for key in entry[PROFILE_FILE]]


def covers(deps, path):
    """Whether ``path`` or a folder above it is among ``deps``."""
    return any(path == known or path.startswith(f"{known}/") for known in deps)


# Code


@cache
def graph():
    """Imports of ``nf`` and ``flows``, also those within functions, but not those for type checkers alone."""
    return grimp.build_graph("nf", "flows", exclude_type_checking_imports=True, cache_dir=None)


def file_of(module):
    path = Path(*module.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


@cache
def tree_of(module):
    return ast.parse((ROOT / file_of(module)).read_text())


def entry_points(stage):
    """The stage's module, and what its flow brings beyond scheduling it (``flows.stages``)."""
    flow = definitions("flows.stages").get(stage)
    own = {node.module for node in ast.walk(flow) if isinstance(node, ast.ImportFrom)} if flow else set()
    return {f"nf.stages.{stage}"} | {module for module in own if module.startswith("flows.")}


@cache
def modules_of(stage):
    """All modules that run when the stage runs: a package's own module runs before any of its others."""
    found, ahead = set(), entry_points(stage)
    while ahead:
        module = ahead.pop()
        found.add(module)
        package = module.rpartition(".")[0]
        ahead |= (graph().find_modules_directly_imported_by(module) | {package}) - BARE_PACKAGES - found
    return found


def missing_code(stage, deps):
    return sorted(str(file_of(module)) for module in modules_of(stage) if not covers(deps, str(file_of(module))))


@pytest.mark.parametrize("stage", STAGES)
def test_all_code_that_a_stage_runs_is_among_its_dependencies(stage):
    assert missing_code(stage, code_deps(stage)) == []


@pytest.mark.parametrize(("stage", "dropped"), [(stage, path) for stage in STAGES for path in code_deps(stage)])
def test_no_dependency_on_code_can_be_dropped(stage, dropped):
    assert (ROOT / dropped).exists()
    assert missing_code(stage, [path for path in code_deps(stage) if path != dropped]) != []


def test_imports_within_functions_count_and_those_for_type_checkers_do_not():
    assert "flows.tracking" in graph().find_modules_directly_imported_by("flows.stages")
    assert "nf.zoo" in graph().find_modules_directly_imported_by("flows.stages")
    assert "nf.verdict" in graph().find_modules_directly_imported_by("nf.cli.verify")
    assert "nf.core.predictor" not in graph().find_modules_directly_imported_by("nf.cli.verify")
    assert {"nf.stages.compare", "flows.tracking", "flows.outbox", "nf.stages.freshness"} <= modules_of("compare")
    assert {"nf.fingerprints", "nf.gan", "nf.verdict", "nf.report"}.isdisjoint(modules_of("zoo"))


# Settings and files


@dataclass
class Read:
    """Sections of the profile and artifacts of the layout that a stage names; ``whole`` if it hands on the profile."""

    sections: set[str]
    artifacts: set[str]
    whole: bool = False


@cache
def definitions(module):
    """Functions and classes at the top of ``module``, by name."""
    return {node.name: node for node in tree_of(module).body if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def imported_names(tree):
    """What the names that ``tree`` imports from our stages and flows stand for: (module, name in it or None)."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(("nf.stages", "flows")):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                target = (whole, None) if whole in graph().modules else (node.module, alias.name)
                yield alias.asname or alias.name, target


def reached(stage):
    """Functions and classes of our stages and flows that the stage's function leads to."""
    ahead = {(f"nf.stages.{stage}", stage)}
    if stage in definitions("flows.stages"):
        ahead |= {
            target
            for _, target in imported_names(definitions("flows.stages")[stage])
            if target[1] and target[0] in entry_points(stage)
        }
    found = set()
    while ahead:
        module, name = ahead.pop()
        found.add((module, name))
        imported = dict(imported_names(tree_of(module)))
        used = {node.id for node in ast.walk(definitions(module)[name]) if isinstance(node, ast.Name)}
        known = {(module, name) for name in used & set(definitions(module))}
        known |= {imported[name] for name in used & set(imported)}
        ahead |= {(module, name) for module, name in known if name and name in definitions(module)} - found
    return [definitions(module)[name] for module, name in found]


def read_by(nodes):
    read = Read(set(), set())
    for child in (child for node in nodes for child in ast.walk(node)):
        if isinstance(child, ast.Attribute) and _called(child.value) == "profile":
            methods = {"section": set(), "variant_section": {"variants", "schemes"}}
            read.sections |= methods.get(child.attr, {child.attr})
        elif not (isinstance(child, ast.Call) and _called(child.func) == "replace"):  # a copy is read where it is used
            parts = ast.iter_child_nodes(child)
            read.whole |= any(isinstance(part, ast.Attribute) and part.attr == "profile" for part in parts)
        if isinstance(child, ast.Call) and _called(child.func) == "section":
            read.sections.add(ast.literal_eval(child.args[0]))
        if isinstance(child, ast.Attribute) and _called(child.value) == "layout" and child.attr != "root":
            read.artifacts.add(child.attr)
    return read


def _called(node):
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


@cache
def read_of(stage):
    read = read_by(reached(stage))
    if read.whole:  # by a room that takes all of it
        takers = [module for module in modules_of(stage) if "nf.core.config" in imports_of(module, "Profile")]
        read.sections |= read_by([tree_of(module) for module in takers if not module.startswith("nf.stages")]).sections
    assert read.sections <= set(Profile.__dataclass_fields__)
    return read


def imports_of(module, name):
    return {
        node.module
        for node in ast.walk(tree_of(module))
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}
    }


def unlisted_sections(stage, params):
    sections = {match[1] for path in params if (match := re.match(r"profiles\.\$\{profile\}\.(\w+)", path))}
    return read_of(stage).sections - sections - WITHOUT_EFFECT


def outputs(stage):
    return [
        path
        for key in ("outs", "metrics")
        for out in LISTED[stage].get(key, [])
        for path in ([out] if isinstance(out, str) else out)
    ]


def artifact_path(name):
    """Where ``run.layout.<name>`` lies, with a star for the scheme, GAN, model or variant that it is about."""
    layout, found = Layout(Path(OUT)), getattr(Layout, name)
    return str(getattr(layout, name) if isinstance(found, property) else found(layout, "*"))


def unlisted_artifacts(stage, deps):
    """Artifacts that neither are in ``deps`` nor are made by the stage; a part of a folder is a dependency on it."""
    own = [re.sub(r"(?<!out/)\$\{[^}]*\}(-\$\{[^}]*\})?", "*", path) for path in [*deps, *outputs(stage)]]
    paths = {name: artifact_path(name) for name in read_of(stage).artifacts - NO_OUTPUTS}
    return {
        name
        for name, path in paths.items()
        if not covers(own, path) and not any(known.startswith(f"{path}/") for known in own)
    }


@pytest.mark.parametrize("stage", STAGES)
def test_all_settings_that_a_stage_reads_are_among_its_parameters(stage):
    assert unlisted_sections(stage, params_of(stage)) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_all_files_that_a_stage_reads_are_among_its_dependencies(stage):
    assert unlisted_artifacts(stage, LISTED[stage]["deps"]) == set()


@pytest.mark.parametrize(
    ("stage", "dropped"),
    [
        ("prepare", "data"),
        ("zoo", "zoo"),
        ("fingerprint", "queries"),
        ("export", "zoo"),
        ("score", "zoo"),
        ("evaluate", "seed"),
        ("detectors", "gans"),
        ("detect", "detection"),
        ("variant", "evaluation"),
        ("report", "description"),
        ("compare", "schemes"),
    ],
)
def test_a_parameter_that_is_not_listed_is_found(stage, dropped):
    params = [path for path in params_of(stage) if f".{dropped}" not in path]
    assert dropped in unlisted_sections(stage, params)


@pytest.mark.parametrize(
    ("stage", "path", "artifact"),
    [
        ("gan", "zoo/source", "zoo"),
        ("fingerprint", "gan/${gans[0]}", "gan"),
        ("export", "data", "data"),
        ("score", "onnx", "exported"),
        ("evaluate", "scores/${item}.safetensors", "answers"),
        ("detect", "detectors", "detectors"),
        ("variant", "onnx", "exported"),
        ("report", "scores/${schemes[0]}.csv", "scores"),
        ("compare", "plots", "plots"),
    ],
)
def test_a_file_that_is_not_listed_is_found(stage, path, artifact):
    deps = LISTED[stage]["deps"]
    assert f"{OUT}/{path}" in deps
    assert artifact in unlisted_artifacts(stage, [dep for dep in deps if dep != f"{OUT}/{path}"])


def test_every_profile_has_the_sections_that_stages_of_all_profiles_depend_on():
    needed = {path.split(".")[2] for stage in LISTED for path in params_of(stage)}
    assert needed == set(Profile.__dataclass_fields__) - WITHOUT_EFFECT
    assert all(needed <= set(profile) for profile in PROFILES.values())

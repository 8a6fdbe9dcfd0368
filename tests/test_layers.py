"""The picture of the layers, the contract that holds them, and the rooms' public faces are one thing."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
WITHOUT_A_FACE = {"nf.core", "nf.stages", "nf.cli"}
ABOVE = {"nf.cli", "nf.owner", "nf.stages"}  # both chains
FACES = {".".join(path.parent.relative_to(ROOT).parts) for path in ROOT.glob("nf/**/__init__.py")}


def contract(name: str) -> dict[str, list[str]]:
    (found,) = (each for each in CONTRACTS if each["name"].startswith(name))
    return found


def drawn() -> dict[str, list[str]]:
    """The layers of each chain from the top down, as docs/architecture.md draws them."""
    page = (ROOT / "docs" / "architecture.md").read_text()
    picture = re.search(r"<!-- layers -->\n```\n(.*?)```", page, re.DOTALL)
    assert picture is not None
    layer = re.compile(r"(?:nf\.\w+|flows)(?: \| nf\.\w+)*")
    lines = picture[1].splitlines()
    columns = {"Makers": 0, "Judges": next(line for line in lines if "judges" in line).index("├── judges")}
    chains: dict[str, list[str]] = {"Makers": [], "Judges": []}
    for line in lines:
        for match in layer.finditer(line):
            shared = "│" not in line
            for chain, column in columns.items():
                if shared or (match.start() >= columns["Judges"]) == (column > 0):
                    chains[chain].append(match[0])
    return chains


@pytest.mark.parametrize("chain", ["Makers", "Judges"])
def test_the_drawing_shows_the_contract(chain: str) -> None:
    assert drawn()[chain] == contract(f"{chain}:")["layers"]


def rooms(chain: str) -> set[str]:
    layers = contract(f"{chain}:")["layers"]
    return {room for layer in layers for room in layer.split(" | ")} - {"flows", *ABOVE, "nf.core"}


def test_the_chains_do_not_know_each_other_and_judges_need_no_torch() -> None:
    judges, makers = contract("Judges know no makers"), contract("Makers know no judges")
    assert set(judges["source_modules"]) == rooms("Judges") | {"nf.core"}
    assert set(judges["forbidden_modules"]) == rooms("Makers") | {"torch", "torchvision"}
    assert set(makers["source_modules"]) == rooms("Makers")
    assert set(makers["forbidden_modules"]) == rooms("Judges")


def test_every_room_stands_in_a_chain() -> None:
    folders = {f"nf.{path.parent.name}" for path in ROOT.glob("nf/*/__init__.py")}
    assert folders == rooms("Makers") | rooms("Judges") | ABOVE | {"nf.core"}


def room_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def imports(path: Path) -> set[str]:
    """Modules of nf that the file at ``path`` imports from, also within functions."""
    tree = ast.parse(path.read_text())
    named = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    whole = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return {module for module in named | whole if module.startswith("nf.")}


def test_nobody_imports_past_a_rooms_face() -> None:
    past = []
    for path in [*ROOT.glob("nf/**/*.py"), *ROOT.glob("flows/*.py")]:
        own = room_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for module in imports(path):
            if room_of(module) not in WITHOUT_A_FACE | {own} and module not in FACES:
                past.append(f"{path.relative_to(ROOT)}: {module}")
    assert past == []


@pytest.mark.parametrize("face", sorted(rooms("Makers") | rooms("Judges")))
def test_a_face_names_what_it_shows(face: str) -> None:
    path = ROOT.joinpath(*face.split("."), "__init__.py")
    tree = ast.parse(path.read_text())
    (names,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    brought = {
        alias.asname or alias.name
        for node in ast.walk(tree)  # also where type checkers alone import
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    defined |= {ast.unparse(node.target) for node in tree.body if isinstance(node, ast.AnnAssign)}
    assert len(names) == len(set(names))
    assert set(names) <= brought | defined

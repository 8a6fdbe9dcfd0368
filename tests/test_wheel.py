"""What an installer gets: the wheel's files and needs, and the lock file of a verdict."""

import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import nf

ROOT = Path(__file__).resolve().parents[1]
HEAVY = re.compile(r"^(?:nvidia|cuda|torch|prefect|mlflow|dvc|dask|distributed)\b")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built by the backend itself, which needs no network."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (path,) = folder.iterdir()
    return path


def requirements(wheel: Path) -> list[str]:
    """What the wheel needs, as in ``torch>=2.11; extra == 'train'``."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])


def test_it_holds_the_library_with_templates_and_types_and_nothing_else(wheel: Path) -> None:
    there = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "nf").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert there >= {"nf/py.typed", "nf/report/style.css", "nf/report/template.html.j2", "nf/suspects/child.py"}
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {name for name in names if ".dist-info/" not in name} == there
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_it_runs_as_it_is(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import nf; print(nf.__file__, nf.__version__)"
    found = subprocess.run(
        [sys.executable, "-I", "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert found == [str(tmp_path / "nf" / "__init__.py"), nf.__version__]
    assert wheel.name.startswith(f"naturalfinger-{nf.__version__}-")


def test_the_base_needs_no_cuda_and_the_extra_does(wheel: Path) -> None:
    base = [need for need in requirements(wheel) if "extra ==" not in need]
    assert any(need.startswith("onnxruntime-gpu>=") for need in base)
    assert [need for need in base if HEAVY.match(need)] == []
    (gpu,) = (need for need in requirements(wheel) if need.endswith("extra == 'gpu'"))
    assert gpu.startswith("onnxruntime-gpu[cuda,cudnn]")


def pinned(lock: str) -> set[str]:
    return set(re.findall(r"^([\w-]+)==", (ROOT / lock).read_text(), re.MULTILINE))


def test_the_lock_of_a_verdict_holds_the_base_and_no_cuda() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {re.split(r"[\[<>=;]", need)[0] for need in project["dependencies"]}
    light = pinned("requirements-verify.lock")
    assert named <= light <= pinned("requirements.lock")
    assert [name for name in light if HEAVY.match(name)] == []
    assert any(name.startswith("nvidia-cudnn") for name in pinned("requirements.lock"))


def test_lock_files_name_no_host() -> None:
    for lock in ("requirements.lock", "requirements-verify.lock"):
        assert "://" not in (ROOT / lock).read_text(), lock


def test_the_changelog_begins_with_the_version_in_few_lines() -> None:
    _, first, *_ = re.split(r"(?m)^## ", (ROOT / "CHANGELOG.md").read_text())
    assert first.startswith(f"{nf.__version__} - ")
    assert [line for line in first.splitlines() if line in ("Added", "Changed", "Fixed")] == [
        "Added",
        "Changed",
        "Fixed",
    ]
    assert len([line for line in first.splitlines()[1:] if line]) <= 25

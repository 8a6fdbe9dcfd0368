"""One word for one thing: retired words stay out of code and pages, and docstrings name what is there, in full."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
CODE = [path for folder in ("nf", "flows") for path in sorted((ROOT / folder).rglob("*.py"))]
TEXTS = [*CODE, *sorted((ROOT / "nf").rglob("*.j2")), *sorted((ROOT / "docs").rglob("*.md"))]

# A retired word, and what docs/glossary.md or the code says in its place.
RETIRED = {
    r"strangers?\b|stranger'": "an independent model, an untrusted file, another",
    r"burnt\b|burns?\b": "retired",
    r"stead(y|ier|iest|iness)\b": "the signal-to-noise ratio of margins",
    r"of now\b": "current",
    r"draws_before|_settle\b|\bplayers?\b": "graph_capturable, _recalibrate_batchnorm, the two networks",
    r"gradients_of\b": "model_gradients",
}
# Text that stays: keys of recorded files, and words of other trades.
ALLOWED = {
    ("docs/results/survivors.md", "steadiness"),  # the name of a ranking in results/survivors.json
}


def found(pattern: str, text: str) -> list[str]:
    return [match[0] for match in re.finditer(rf"(?<![\w.])(?:{pattern})", text, re.IGNORECASE)]


@pytest.mark.parametrize("pattern", RETIRED)
def test_retired_words_are_gone(pattern):
    hits = {
        (str(path.relative_to(ROOT)), word.lower())
        for path in TEXTS
        for word in found(pattern, path.read_text().replace("burnt_at", ""))
    }
    assert hits - ALLOWED == set(), f"say {RETIRED[pattern]}"


def test_every_allowance_is_needed():
    for page, word in ALLOWED:
        assert word in (ROOT / page).read_text().lower(), f"nothing to allow: {word!r} in {page}"


def test_a_retired_word_would_be_found():
    assert found(next(iter(RETIRED)), "It is a stranger's file, made by Strangers.") == ["stranger", "Strangers"]
    assert found(r"burnt\b|burns?\b", "burnt_at is a key, burnt a word; burner is neither") == ["burnt"]


def documented() -> Iterator[tuple[str, ast.ClassDef | ast.FunctionDef, str]]:
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.relative_to(ROOT)}: {node.name}", node, text


def names_in(section: str, docstring: str) -> list[str]:
    """The names that a Google-style ``section`` explains, in order."""
    match = re.search(rf"^{section}:\n((?:    .*\n?|\n(?=    ))*)", docstring, re.MULTILINE)
    return re.findall(r"^    \*{0,2}(\w+):", match[1], re.MULTILINE) if match else []


def parameters(function: ast.FunctionDef) -> list[str]:
    names = function.args
    every = [*names.posonlyargs, *names.args, names.vararg, *names.kwonlyargs, names.kwarg]
    return [each.arg for each in every if each is not None]


def initialiser(node: ast.ClassDef) -> ast.FunctionDef | None:
    return next((each for each in node.body if isinstance(each, ast.FunctionDef) and each.name == "__init__"), None)


def test_arguments_are_explained_all_or_none():
    wrong = {}
    for where, node, text in documented():
        function = node if isinstance(node, ast.FunctionDef) else initialiser(node)
        explained, taken = names_in("Args", text), parameters(function) if function else []
        if explained and sorted(explained) not in (sorted(taken), sorted(taken[1:])):  # without self or cls
            wrong[where] = explained
    assert wrong == {}


def fields(node: ast.ClassDef) -> list[str]:
    return [
        each.target.id
        for each in node.body
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name) and not each.target.id.startswith("_")
    ]


def test_fields_of_public_dataclasses_are_explained_each():
    wrong = {}
    for where, node, text in documented():
        frozen = isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list)
        if frozen and not node.name.startswith("_") and sorted(names_in("Attributes", text)) != sorted(fields(node)):
            wrong[where] = fields(node)
    assert wrong == {}


@pytest.mark.parametrize("riddle", [r"\blikewise\b", r"^\s+\w+: (of|that|whose|by|on|where|its|in) ", r"\bsee above\b"])
def test_docstrings_do_not_lean_on_the_line_before(riddle):
    leaning = [
        f"{where}: {line.strip()}"
        for where, _, text in documented()
        for line in text.splitlines()
        if re.search(riddle, line, re.IGNORECASE) and not line.strip().startswith(("Returns:", "Raises:"))
    ]
    assert leaning == []

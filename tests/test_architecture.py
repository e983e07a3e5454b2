"""The house rules of CONTRIBUTING.md that no linter checks."""

from __future__ import annotations

import ast
from pathlib import Path
from statistics import median

import pytest

pytestmark = pytest.mark.any_backend

PACKAGE = Path(__file__).parent.parent / "keras_l4"
FILES = sorted(PACKAGE.rglob("*.py"))
FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def num_code_lines(function: FUNCTION) -> int:
    """From `def` to the last line, without the docstring."""
    first = function.body[0]
    docstring = first.end_lineno - first.lineno + 1 if ast.get_docstring(function) else 0
    return function.end_lineno - function.lineno + 1 - docstring


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file_is_under_300_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("path", FILES, ids=name)
def test_file_has_no_hasattr_and_no_star_import(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert "hasattr(" not in text
    assert "import *" not in text


def test_median_function_is_under_ten_lines() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FILES]
    functions = [node for tree in trees for node in ast.walk(tree) if isinstance(node, FUNCTION)]
    assert median(map(num_code_lines, functions)) < 10

"""Fingerprint of the code that a generated result depends on.

Result files store it, and `tests/benchmarks/test_fingerprint.py` fails when the code has changed since.
"""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

ROOT = Path(__file__).parents[1]

RECORDING = (
    "keras_l4.backend",
    "keras_l4.callbacks",
    "keras_l4.custom_loop",
    "keras_l4.inspection",
    "keras_l4.keras_internals",
    "keras_l4.observers",
    "keras_l4.optimizers",
    "keras_l4.quantities",
    "keras_l4.recorder",
    "keras_l4.records",
    "keras_l4.session",
)
"""The code that runs while `TrainingDiagnostics` records."""

_IGNORED_FIELDS = ("annotation", "returns", "type_comment", "type_params", "kind")


def fingerprint(*modules: str) -> str:
    """Returns the SHA-256 hash of the code of some modules.

    Docstrings, comments, formatting and annotations do not change it, so rewording does not make a
    result stale.

    Args:
        *modules: Dotted names of modules, or of packages, which include all of their modules.
    """
    digest = hashlib.sha256()
    for path in sorted(path for module in modules for path in _python_files(module)):
        code = code_of(path.read_text(encoding="utf-8"))
        digest.update(f"{path.relative_to(ROOT).as_posix()}\n{code}\n".encode())
    return digest.hexdigest()


def code_of(source: str) -> str:
    """Returns the syntax tree of Python code as text, without docstrings and annotations.

    `ast.dump` is not used, since its format depends on the version of Python.

    >>> code_of("x: int = 1  # One.") == code_of("x: float  =  1")
    True
    """
    return _dump(ast.parse(source))


def _python_files(module: str) -> list[Path]:
    path = ROOT.joinpath(*module.split("."))
    files = [path.with_suffix(".py")] if not path.is_dir() else list(path.rglob("*.py"))
    if not files or not files[0].is_file():
        raise ValueError(f"There is no module or package {module} in {ROOT}.")
    return files


def _dump(node: object) -> str:
    if isinstance(node, ast.AST):
        fields = ", ".join(
            f"{name}={_dump(value)}"
            for name, value in ast.iter_fields(node)
            if name not in _IGNORED_FIELDS and value not in (None, [])
        )
        return f"{type(node).__name__}({fields})"
    if isinstance(node, list):
        return f"[{', '.join(_dump(item) for item in node if not _is_docstring(item))}]"
    return repr(node)


def _is_docstring(node: object) -> bool:
    """Returns True for a statement that is only a string."""
    is_constant = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    return is_constant and isinstance(node.value.value, str)

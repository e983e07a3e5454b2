from __future__ import annotations

import doctest
import os
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OTHER_BACKENDS = {"tensorflow", "jax", "torch"} - {os.environ["KERAS_BACKEND"]}
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "keras_l4").rglob("*.py"))
    if OTHER_BACKENDS.isdisjoint(path.stem.split("_"))
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0

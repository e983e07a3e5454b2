"""The code of the README runs from top to bottom, and its tables are complete."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_l4
from keras_l4.quantities import registry
from keras_l4.session.options import Options

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", TEXT, flags=re.DOTALL | re.MULTILINE)


def rows(section: str) -> list[list[str]]:
    """Returns the cells of all tables below a heading."""
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## )", TEXT, flags=re.DOTALL | re.MULTILINE)
    lines = [line for line in body.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def names(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell.partition(":")[0])


@pytest.mark.any_backend
def test_python_blocks_of_the_readme_run_in_order(tmp_path: Path) -> None:
    # In another process, since the blocks register an optimizer and a quantity.
    script = tmp_path / "readme.py"
    script.write_text("\n\n".join(BLOCKS), encoding="utf-8")
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error::RuntimeWarning"}

    process = subprocess.run(
        [sys.executable, script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )

    assert process.returncode == 0, process.stderr
    assert "RuntimeWarning" not in process.stderr
    assert "\nadam 57\n" in process.stdout.lower()
    assert "\n114\n" in process.stdout


@pytest.mark.any_backend
def test_readme_lists_every_quantity() -> None:
    documented = {
        name: when
        for cell, when, *_ in rows("What is recorded, and when")[2:]
        if when in ("every step", "sampled")
        for name in names(cell)
    }
    recorded = {name: q.when for name, q in registry.items() if not name.startswith("_")}
    assert documented == recorded


@pytest.mark.any_backend
def test_readme_lists_every_argument_with_its_default() -> None:
    table = rows("The callbacks")
    documented = {
        name: cells[1].strip("`") for cells in table if len(cells) == 3 for name in names(cells[0])
    }
    common = inspect.signature(Options).parameters.values()
    defaults = {p.name: str(p.default).replace("'", '"') for p in common}
    for name, default in defaults.items():
        assert documented[name].strip('"') == default


@pytest.mark.any_backend
@pytest.mark.parametrize("name", [n for n in keras_l4.callbacks.__all__ if n.lower() != "watch"])
def test_readme_lists_every_callback(name: str) -> None:
    assert any(cells[0].startswith(f"`{name}(") for cells in rows("The callbacks"))


@pytest.mark.any_backend
@pytest.mark.parametrize("path", re.findall(r"`(examples/\w+\.py)`|\]\(([\w./]+)\)", TEXT))
def test_files_named_in_the_readme_exist(path: tuple[str, str]) -> None:
    assert (ROOT / "".join(path)).is_file()

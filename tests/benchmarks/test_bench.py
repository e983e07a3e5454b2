"""The benchmark runs, and its table says what its raw numbers say."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jax")
# It starts processes of its own, on JAX.
pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
TOY = ["--backends", "jax", "--models", "mlp", "--quick", "--pairs", "3", "--seconds", "0.05"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """The printed report and the content of the JSON file."""
    raw = tmp_path_factory.mktemp("bench") / "raw.json"
    command = [sys.executable, Path(__file__).with_name("bench.py"), *TOY, "--json", raw]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(raw.read_text())


def _speed(report: str) -> dict[str, str]:
    lines = [line.strip("| ").split(" | ") for line in report.splitlines() if line[:1] == "|"]
    return dict(zip(lines[0], lines[2], strict=True))


def test_every_contender_is_timed_in_every_round(run: tuple[str, dict[str, Any]]) -> None:
    [result] = run[1]["results"]
    assert {name: len(series["seconds"]) for name, series in result["series"].items()} == {
        "stock": 3,
        "stock again": 3,
        "keras_l4": 3,
        "keras_l4, rules=None": 3,
    }
    assert result["variables"] == 6
    assert not result["failures"]


def _median_ratio(raw: dict[str, Any], contender: str) -> float:
    series = raw["results"][0]["series"]
    pairs = zip(_beyond_one_step(series[contender]), _beyond_one_step(series["stock"]), strict=True)
    return statistics.median(seconds / stock for seconds, stock in pairs)


def _beyond_one_step(series: dict[str, list[float]]) -> list[float]:
    pairs = zip(series["seconds"], series["start_seconds"], strict=True)
    return [seconds - start for seconds, start in pairs]


def test_the_table_says_the_median_of_the_ratios(run: tuple[str, dict[str, Any]]) -> None:
    assert _speed(run[0])["keras_l4"].startswith(f"{_median_ratio(run[1], 'keras_l4'):.2f} [")


def test_no_verdict_where_the_noise_exceeds_the_budget(run: tuple[str, dict[str, Any]]) -> None:
    verdict = "yes" if _median_ratio(run[1], "keras_l4") <= 1.10 else "no"
    noisy = abs(_median_ratio(run[1], "stock again") - 1) > 1.10 - 1
    assert _speed(run[0])["within budget"] == ("too noisy" if noisy else verdict)


def test_the_record_is_weighed(run: tuple[str, dict[str, Any]]) -> None:
    assert float(_speed(run[0])["bytes/variable/step"]) > 0

"""The cost benchmark runs, and its table agrees with its timings."""

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
# The benchmark runs in other processes, on JAX.
pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "benchmarks" / "cost" / "bench.py"
SHORT_RUN = ["--backends", "jax", "--models", "mlp", "--quick", "--pairs", "3", "--seconds", "0.05"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    """Returns the printed report and the content of the JSON file."""
    json_file = tmp_path_factory.mktemp("bench") / "bench.json"
    command = [sys.executable, SCRIPT, *SHORT_RUN, "--json", json_file]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout, json.loads(json_file.read_text())


def _speed_row(report: str) -> dict[str, str]:
    lines = [line.strip("| ").split(" | ") for line in report.splitlines() if line[:1] == "|"]
    return dict(zip(lines[0], lines[2], strict=True))


def test_every_variant_is_timed_in_every_round(run: tuple[str, dict[str, Any]]) -> None:
    [result] = run[1]["results"]
    assert {name: len(series["seconds"]) for name, series in result["series"].items()} == {
        "stock": 3,
        "stock again": 3,
        "keras_l4": 3,
        "keras_l4, rules=None": 3,
    }
    assert result["variables"] == 6
    assert not result["failures"]


def _median_ratio(raw: dict[str, Any], variant: str) -> float:
    series = raw["results"][0]["series"]
    pairs = zip(
        _seconds_without_first_step(series[variant]),
        _seconds_without_first_step(series["stock"]),
        strict=True,
    )
    return statistics.median(seconds / stock for seconds, stock in pairs)


def _seconds_without_first_step(series: dict[str, list[float]]) -> list[float]:
    pairs = zip(series["seconds"], series["start_seconds"], strict=True)
    return [seconds - start for seconds, start in pairs]


def test_table_shows_the_median_ratio(run: tuple[str, dict[str, Any]]) -> None:
    assert _speed_row(run[0])["keras_l4"].startswith(f"{_median_ratio(run[1], 'keras_l4'):.2f} [")


def test_budget_is_not_judged_when_noise_exceeds_it(run: tuple[str, dict[str, Any]]) -> None:
    verdict = "yes" if _median_ratio(run[1], "keras_l4") <= 1.10 else "no"
    noisy = abs(_median_ratio(run[1], "stock again") - 1) > 1.10 - 1
    assert _speed_row(run[0])["within budget"] == ("too noisy" if noisy else verdict)


def test_table_shows_the_size_of_the_record(run: tuple[str, dict[str, Any]]) -> None:
    assert float(_speed_row(run[0])["bytes/variable/step"]) > 0

"""Measures on one backend: python worker.py REQUEST RESULTS, both JSON files; see `bench.py`."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
from contenders import ESSENTIAL, alternatives
from measure import Effort, Result, measure
from models import MODELS, scaling
from promise import BASELINE, SUBJECT

# Tracing 1000 variables takes minutes, so the scaling does without the control.
SCALED = [contender for contender in ESSENTIAL if contender.name in (BASELINE, SUBJECT)]
# A thousand variables cost some 100 ms a step, and a trend needs less precision than a budget.
SCALED_MIN_STEPS = 20
SCALED_PAIRS = 3


def measured(request: dict[str, Any], folder: Path) -> Iterator[Result]:
    """One result per requested workload."""
    effort = Effort(**request["effort"])
    contenders = ESSENTIAL + (alternatives() if request["alternatives"] else [])
    for model in request["models"]:
        yield measure(MODELS[model], contenders, effort, folder)
    if request["scaling"]:
        scaled_effort = Effort(SCALED_PAIRS, effort.seconds, SCALED_MIN_STEPS)
        for workload in scaling(traces=keras.backend.backend() != "torch"):
            yield measure(workload, SCALED, scaled_effort, folder)


def main(request_file: Path, results_file: Path) -> None:
    """Writes the list of results as JSON, after each workload: what is measured is never lost."""
    request = json.loads(request_file.read_text())
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for result in measured(request, Path(folder)):
            print(f"{result.backend}: {result.model} measured", file=sys.stderr)
            results.append(asdict(result))
            results_file.write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

"""Measures on one backend, as a process that `bench.py` starts.

    python worker.py REQUEST RESULTS

Both are JSON files.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
from budgets import BASELINE, SUBJECT
from measure import Effort, Result, measure
from models import MODELS, scaling
from variants import STANDARD_VARIANTS, alternatives

# Tracing 1000 variables takes minutes, so scaling is measured without the control.
SCALING_VARIANTS = [variant for variant in STANDARD_VARIANTS if variant.name in (BASELINE, SUBJECT)]
# A step of 1000 variables takes about 100 ms, and a trend needs less precision than a budget.
SCALING_MIN_STEPS = 20
SCALING_PAIRS = 3


def measure_all(request: dict[str, Any], folder: Path) -> Iterator[Result]:
    """Yields the result of each requested workload."""
    effort = Effort(**request["effort"])
    variants = STANDARD_VARIANTS + (alternatives() if request["alternatives"] else [])
    for model in request["models"]:
        yield measure(MODELS[model], variants, effort, folder)
    if request["scaling"]:
        scaled_effort = Effort(SCALING_PAIRS, effort.seconds, SCALING_MIN_STEPS)
        for workload in scaling(is_traced=keras.backend.backend() != "torch"):
            yield measure(workload, SCALING_VARIANTS, scaled_effort, folder)


def main(request_file: Path, results_file: Path) -> None:
    """Writes the results as JSON after each workload, so that a crash loses only one."""
    request = json.loads(request_file.read_text())
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for result in measure_all(request, Path(folder)):
            print(f"{result.backend}: {result.model} measured", file=sys.stderr)
            results.append(asdict(result))
            results_file.write_text(json.dumps(results))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))

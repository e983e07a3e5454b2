"""Measures the cost of recording: wall time per step relative to stock Keras, as Markdown and JSON.

    python benchmarks/cost/bench.py --json bench.json

Keras chooses its backend on import, so each backend is measured in another process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from budgets import BUDGETS, LARGE
from machine import describe
from ratios import Result
from table import report

BACKENDS = ("tensorflow", "jax", "torch")
FULL = {"pairs": 7, "seconds": 2.0, "min_steps": 100}
QUICK = {"pairs": 3, "seconds": 0.3, "min_steps": 30}


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the command line. The default of --backends is KERAS_BACKEND, if it is set."""
    active = os.environ.get("KERAS_BACKEND")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--backends", nargs="+", choices=BACKENDS, default=[active] if active else BACKENDS)
    add("--models", nargs="+", choices=(*BUDGETS, *LARGE), default=list(BUDGETS))
    add("--pairs", type=int, help="rounds; 7, or 3 with --quick")
    add("--seconds", type=float, help="minimum length of a fit; 2, or 0.3 with --quick")
    add("--quick", action="store_true", help="short fits, no alternatives, no scaling")
    switch = argparse.BooleanOptionalAction
    add("--alternatives", action=switch, help="also measure flight recorders and other tools")
    add("--scaling", action=switch, help="10 to 5000 variables, 1 to 100 M parameters")
    add("--json", type=Path, help="write all timings to this file")
    return parser.parse_args(arguments)


def build_request(options: argparse.Namespace) -> dict[str, Any]:
    """Returns what a worker has to measure."""
    effort = QUICK if options.quick else FULL
    overrides = {name: getattr(options, name) for name in ("pairs", "seconds")}
    switches = {name: getattr(options, name) for name in ("alternatives", "scaling")}
    return {
        "models": options.models,
        "effort": effort | {name: value for name, value in overrides.items() if value},
        **{name: not options.quick if on is None else on for name, on in switches.items()},
    }


def measure(backend: str, request: dict[str, Any]) -> tuple[list[Result], int]:
    """Runs a worker on the backend; returns its results and its exit status."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend}
    worker = Path(__file__).with_name("worker.py")
    with tempfile.TemporaryDirectory() as folder:
        request_file, results_file = (
            Path(folder) / name for name in ("request.json", "results.json")
        )
        request_file.write_text(json.dumps(request))
        results_file.write_text("[]")
        command = [sys.executable, worker, request_file, results_file]
        process = subprocess.run(command, env=environment)
        return json.loads(results_file.read_text()), process.returncode


def main(arguments: list[str]) -> int:
    """Returns 1 if a variant or a whole backend failed."""
    options = parse(arguments)
    run: dict[str, Any] = {"machine": describe(), "request": build_request(options), "results": []}
    has_failed = False
    for backend in options.backends:
        results, status = measure(backend, run["request"])
        run["results"] += results
        has_failed |= status != 0 or any(result["failures"] for result in results)
        if options.json:
            options.json.write_text(json.dumps(run, indent=1))
    print("\n".join(f"{name}: {value}" for name, value in run["machine"].items()), end="\n\n")
    print(report(run["results"]))
    return int(has_failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

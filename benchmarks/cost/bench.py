"""What recording costs: wall time per step relative to stock Keras, as Markdown and JSON.

    python benchmarks/cost/bench.py --json bench.json

Keras fixes its backend on import, so each backend is measured in a process of its own.
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

from machine import describe
from promise import BUDGETS, LARGE
from ratios import Result
from table import report

BACKENDS = ("tensorflow", "jax", "torch")
FULL = {"pairs": 7, "seconds": 2.0, "min_steps": 100}
QUICK = {"pairs": 3, "seconds": 0.3, "min_steps": 30}


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line. KERAS_BACKEND, where set, is the default of --backends."""
    active = os.environ.get("KERAS_BACKEND")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--backends", nargs="+", choices=BACKENDS, default=[active] if active else BACKENDS)
    add("--models", nargs="+", choices=(*BUDGETS, *LARGE), default=list(BUDGETS))
    add("--pairs", type=int, help="rounds; 7, or 3 with --quick")
    add("--seconds", type=float, help="least length of a fit; 2, or 0.3 with --quick")
    add("--quick", action="store_true", help="short fits, no alternatives, no scaling")
    switch = argparse.BooleanOptionalAction
    add("--alternatives", action=switch, help="flight recorders, and what the backend offers")
    add("--scaling", action=switch, help="10 to 5000 variables, 1 to 100 M parameters")
    add("--json", type=Path, help="write all timings to this file")
    return parser.parse_args(arguments)


def request(options: argparse.Namespace) -> dict[str, Any]:
    """What a worker is asked to measure."""
    effort = QUICK if options.quick else FULL
    given = {name: getattr(options, name) for name in ("pairs", "seconds")}
    wanted = {name: getattr(options, name) for name in ("alternatives", "scaling")}
    return {
        "models": options.models,
        "effort": effort | {name: value for name, value in given.items() if value},
        **{name: not options.quick if on is None else on for name, on in wanted.items()},
    }


def measure(backend: str, wanted: dict[str, Any]) -> tuple[list[Result], int]:
    """Runs a worker on the backend: what it could measure, and its exit status."""
    environment = {"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ, "KERAS_BACKEND": backend}
    worker = Path(__file__).with_name("worker.py")
    with tempfile.TemporaryDirectory() as folder:
        asked, measured = (Path(folder) / name for name in ("request.json", "results.json"))
        asked.write_text(json.dumps(wanted))
        measured.write_text("[]")
        status = subprocess.run([sys.executable, worker, asked, measured], env=environment)
        return json.loads(measured.read_text()), status.returncode


def main(arguments: list[str]) -> int:
    """Returns 1 where a contender or a whole backend failed."""
    options = parse(arguments)
    run: dict[str, Any] = {"machine": describe(), "request": request(options), "results": []}
    failed = False
    for backend in options.backends:
        results, status = measure(backend, run["request"])
        run["results"] += results
        failed |= status != 0 or any(result["failures"] for result in results)
        if options.json:
            options.json.write_text(json.dumps(run, indent=1))
    print("\n".join(f"{name}: {value}" for name, value in run["machine"].items()), end="\n\n")
    print(report(run["results"]))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

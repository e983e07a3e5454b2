"""The `report`, `check` and `diff` commands of `python -m keras_l4`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_l4.formatting import print_findings
from keras_l4.report.difference import describe_difference
from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.report.page import render_page
from keras_l4.rules import PRESETS, SEVERITIES


def add_to(commands: Any) -> None:
    """Adds `report`, `check` and `diff` to the subcommands of a parser."""
    report = commands.add_parser("report", help="print the findings of a run")
    report.add_argument("log_dir", metavar="LOGDIR")
    report.add_argument("--json", action="store_true", help="print JSON")
    report.add_argument("--html", metavar="FILE", type=Path, help="also write an HTML page")
    report.set_defaults(run=_report)
    check = commands.add_parser("check", help="exit with 1 if there are findings, for CI jobs")
    check.add_argument("log_dir", metavar="LOGDIR")
    check.add_argument(
        "--fail-on", choices=SEVERITIES, default="warning", help="lowest severity that counts"
    )
    check.set_defaults(run=_check)
    diff = commands.add_parser("diff", help="compare two runs: first difference and final values")
    diff.add_argument("log_dirs", metavar="LOGDIR", nargs=2)
    diff.set_defaults(run=_diff)
    for command in (report, check, diff):
        command.add_argument(
            "--rules", choices=PRESETS, help="preset; default: the rules of the recorded run"
        )
        command.add_argument(
            "--optimizer", metavar="NAME", help="optimizer to read, if the run has several"
        )


def _report(arguments: argparse.Namespace) -> int:
    run = EvaluatedRun.read(arguments.log_dir, arguments.rules, arguments.optimizer)
    if arguments.html is not None:
        arguments.html.write_text(render_page(run), encoding="utf-8")
    if arguments.json:
        print(json.dumps(run.as_dict(), indent=2, allow_nan=False))
        return 0
    print(run)
    print_findings(run.findings)
    if not run.findings:
        print("No findings.")
    if arguments.html is not None:
        print(f"HTML page: {arguments.html}")
    for capsule in sorted(run.log_dir.glob("capsule-*")):
        print(f"To find the origin of NaN or Inf, run: python -m keras_l4 replay {capsule}")
    return 0


def _check(arguments: argparse.Namespace) -> int:
    run = EvaluatedRun.read(arguments.log_dir, arguments.rules, arguments.optimizer)
    min_rank = SEVERITIES.index(arguments.fail_on)
    failures = [finding for finding in run.findings if finding.rank >= min_rank]
    print(run)
    print_findings(failures, Console(stderr=True))
    print(f"{len(failures)} findings of severity {arguments.fail_on} or higher.")
    return 1 if failures else 0


def _diff(arguments: argparse.Namespace) -> int:
    a, b = (
        EvaluatedRun.read(log_dir, arguments.rules, arguments.optimizer)
        for log_dir in arguments.log_dirs
    )
    print(describe_difference(a, b))
    return 0

"""The command line: report, check and diff."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_l4.report.difference import difference
from keras_l4.report.judged import EvaluatedRun
from keras_l4.report.page import page
from keras_l4.rules import PRESETS, SEVERITIES
from keras_l4.wording import print_findings


def _report(given: argparse.Namespace) -> int:
    judged = EvaluatedRun.read(given.log_dir, given.rules, given.optimizer)
    if given.html is not None:
        given.html.write_text(page(judged), encoding="utf-8")
    if given.json:
        print(json.dumps(judged.as_dict(), indent=2, allow_nan=False))
        return 0
    print(judged)
    print_findings(judged.findings)
    if not judged.findings:
        print("No findings.")
    if given.html is not None:
        print(f"Written: {given.html}")
    for capsule in sorted(judged.log_dir.glob("capsule-*")):
        print(f"Where it went wrong: python -m keras_l4 replay {capsule}")
    return 0


def _check(given: argparse.Namespace) -> int:
    judged = EvaluatedRun.read(given.log_dir, given.rules, given.optimizer)
    least = SEVERITIES.index(given.fail_on)
    found = [finding for finding in judged.findings if finding.rank >= least]
    print(judged)
    print_findings(found, Console(stderr=True))
    print(f"{len(found)} findings of severity {given.fail_on} or worse.")
    return 1 if found else 0


def _diff(given: argparse.Namespace) -> int:
    runs = [EvaluatedRun.read(folder, given.rules, given.optimizer) for folder in given.log_dirs]
    print(difference(*runs))
    return 0


def add_to(commands: Any) -> None:
    """Adds `report`, `check` and `diff` to the commands of a parser."""
    report = commands.add_parser("report", help="print what the rules find in a log directory")
    report.add_argument("log_dir", metavar="LOGDIR")
    report.add_argument("--json", action="store_true", help="print JSON")
    report.add_argument("--html", metavar="FILE", type=Path, help="write a page, too")
    report.set_defaults(run=_report)
    check = commands.add_parser("check", help="exit with 1 if there are findings, for a CI job")
    check.add_argument("log_dir", metavar="LOGDIR")
    check.add_argument("--fail-on", choices=SEVERITIES, default="warning", help="least severity")
    check.set_defaults(run=_check)
    diff = commands.add_parser("diff", help="say where two runs part, and how they end")
    diff.add_argument("log_dirs", metavar="LOGDIR", nargs=2)
    diff.set_defaults(run=_diff)
    for command in (report, check, diff):
        command.add_argument(
            "--rules", choices=PRESETS, help="preset; else what judged the training"
        )
        command.add_argument("--optimizer", metavar="NAME", help="which of several optimizers")

"""The command line."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

import keras_l4.forensics.command
import keras_l4.report.command


def main(arguments: Sequence[str]) -> int:
    """Runs a command.

    Returns:
        The exit code: 0 for success; 1 if `check` found a problem, or `replay` did not reproduce
        the failure; 2 if the arguments or the log directory are invalid.
    """
    namespace = _build_parser().parse_args(arguments)
    try:
        return int(namespace.run(namespace))
    except (OSError, ValueError) as error:
        print(f"keras_l4: {error}", file=sys.stderr)
        return 2


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m keras_l4", description="Evaluates recorded runs and replays failed steps."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keras_l4.report.command.add_to(commands)
    keras_l4.forensics.command.add_to(commands)
    return parser

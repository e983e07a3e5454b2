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
        0; 1 if `check` found something, or `replay` did not reproduce it; 2 if the arguments, or
        the folder, are not as they should be.
    """
    given = _parser().parse_args(arguments)
    try:
        return int(given.run(given))
    except (OSError, ValueError) as error:
        print(f"keras_l4: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m keras_l4", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    keras_l4.report.command.add_to(commands)
    keras_l4.forensics.command.add_to(commands)
    return parser

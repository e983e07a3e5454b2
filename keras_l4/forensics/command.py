"""The `replay` command of `python -m keras_l4`."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Adds `replay` to the subcommands of a parser."""
    replay = commands.add_parser(
        "replay", help="replay the steps of a capsule and report the origin of the first NaN or Inf"
    )
    replay.add_argument("capsule", metavar="CAPSULE", help="folder capsule-<step>")
    replay.add_argument(
        "--module",
        metavar="MODULE:FUNCTION",
        help="function that returns the compiled model; default: restore the model from the capsule",
    )
    replay.add_argument(
        "--try",
        action="store_true",
        dest="try_remedies",
        help="also replay the steps with each remedy, to see which would have helped",
    )
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.set_defaults(run=_replay)


def _replay(arguments: argparse.Namespace) -> int:
    # Not at the top: the other commands need no Keras, which takes seconds to import.
    from keras_l4.forensics.replay import replay

    model = _model(arguments.module) if arguments.module else None
    result = replay(arguments.capsule, model, arguments.try_remedies)
    print(json.dumps(result.as_dict(), indent=2) if arguments.json else result)
    return 0 if result.is_reproduced else 1


def _model(name: str) -> Any:
    module, _, function = name.partition(":")
    if not function:
        raise ValueError(
            f"--module {name}: expected MODULE:FUNCTION, for instance my_project.model:build."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"--module {name}: {error}.") from error

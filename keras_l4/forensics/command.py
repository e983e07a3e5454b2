"""The command line: replay."""

from __future__ import annotations

import argparse
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Adds `replay` to the commands of a parser."""
    replay = commands.add_parser(
        "replay", help="run the steps of a capsule again, and say where a NaN was born"
    )
    replay.add_argument("capsule", metavar="CAPSULE", help="a folder capsule-<step>")
    replay.add_argument(
        "--module", metavar="MODULE:FUNCTION", help="what returns the compiled model"
    )
    replay.add_argument(
        "--try", action="store_true", dest="try_remedies", help="say what would have helped, too"
    )
    replay.add_argument("--json", action="store_true", help="print JSON")
    replay.set_defaults(run=_replay)


def _replay(given: argparse.Namespace) -> int:
    # Reading a record needs no Keras; running a step does.
    from keras_l4.forensics.replay import replay

    model = _model(given.module) if given.module else None
    result = replay(given.capsule, model, given.try_remedies)
    print(json.dumps(result.as_dict(), indent=2) if given.json else result)
    return 0 if result.reproduced else 1


def _model(place: str) -> Any:
    module, _, function = place.partition(":")
    if not function:
        raise ValueError(
            f"--module {place}: expected MODULE:FUNCTION, such as my_project.model:build."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        return getattr(import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"--module {place}: {error}.") from error

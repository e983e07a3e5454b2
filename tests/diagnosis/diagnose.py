"""Trains all programs, prints how good the rules are, and writes RESULTS.md."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from tests.diagnosis import faulty, healthy
from tests.diagnosis.program import CASES
from tests.diagnosis.table import PRESETS, Verdict, judge, markdown

RESULTS = Path(__file__).parent / "RESULTS.md"
TEXT = """# How good the rules are

Made by `make diagnose` on {date}, Keras {keras} with {backend}, Python {python}, seed 0. The
programs are those of `faulty.py` and `healthy.py`; found: a finding of severity warning or worse on a
faulty program; right: one whose code is expected; false alarm: one on a healthy program. Precision
is right by all findings of a code; recall is of the programs that have this fault, found by a right
code; steps is the median number of steps until it was found, looked for ten times a run.

Thresholds were frozen before these programs were written. After the first runs of them, which are in
the history of this file, two programs were corrected (an adversary whose gradient cancelled, a rate that
did oscillate), and rules changed, to do what they say: the width of targets is asked of Keras' losses
only, a starved rate never rises, NaN out of the blue is no growth but Inf is. No threshold was changed,
but the rules have seen these programs: what they do on others may be worse.

"""


def main() -> None:
    assert faulty.__name__ != healthy.__name__  # Importing them registers the programs.
    verdicts: dict[str, list[Verdict]] = {preset: [] for preset in PRESETS}
    wanted = sys.argv[1:]
    for case in CASES.values():
        if wanted and case.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            case.run(TrainingDiagnostics(folder, verbose=0))
            run = keras_l4.load(folder)
        for preset in PRESETS:
            verdicts[preset].append(judge(case, run, preset))
        said = verdicts["default"][-1]
        mark = "FALSE" if said.is_false_alarm else "ok" if not case.codes or said.is_right else "??"
        print(f"{mark:6}{case.name:42}{', '.join(said.codes)}", flush=True)
    print(markdown(verdicts))
    if not wanted:
        RESULTS.write_text(heading() + markdown(verdicts) + "\n", encoding="utf-8")


def heading() -> str:
    return TEXT.format(
        date=datetime.date.today(),
        keras=keras.__version__,
        backend=f"{keras.backend.backend()} {version()}",
        python=platform.python_version(),
    )


def version() -> str:
    return importlib.metadata.version(keras.backend.backend())


if __name__ == "__main__":
    main()

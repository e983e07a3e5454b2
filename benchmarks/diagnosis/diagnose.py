"""Trains all programs, prints how good the rules are, and writes RESULTS.md.

    python benchmarks/diagnosis/diagnose.py [--logs FOLDER] [PROGRAM ...]

With --logs the records are kept, and a program that has one there is not trained again: rules may change
and judge it anew. With names it is about these programs only, and nothing is written.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras

import keras_l4
from benchmarks.diagnosis.program import CASES, Case, code_fingerprint
from benchmarks.diagnosis.table import PRESETS, Verdict, judge, markdown
from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.events import Run

HERE = Path(__file__).parent
SETS = ("", "second_", "third_", "fourth_")
MODULES = [f"benchmarks.diagnosis.{of}{kind}" for of in SETS for kind in ("faulty", "healthy")]
TEXT = """# How good the rules are

Made by `make diagnose` on {date}, Keras {keras} with {backend}, Python {python}, seed 0,
code fingerprint {fingerprint}. The
programs are those of `faulty.py` and `healthy.py`, and of `second_*.py`, `third_*.py` and `fourth_*.py`, each
by another author. Found: a finding of severity warning or worse on a faulty program; right: one whose code is
expected; false alarm: one on a healthy program. Precision is right by all findings of a code; recall
is of the programs that have this fault, found by a right code; steps is the median number of steps
until it was found, looked for ten times a run.

Thresholds were frozen before any of these programs was written, but for the two below. The rules have seen them all since, and
learned what they had overlooked, so what they do on others may be worse: what they said of the others'
programs at first sight is in UNSEEN.md. What they learned from the first: the width of targets is
asked of Keras' losses only, a starved rate never rises, NaN out of the blue is no growth but Inf is.
From the second: parts of a run differ by their batches alone, of a margin only the sign counts, a
schedule may starve a run, equal units harm a model which is only half good, too. From the third: a loss
below zero did not rise, the wants of a user's own loss are not known, nor is what a constant reaches
where examples are weighted; gross errors count for no more where the loss shrugs at them, what rang and
settled is over, near zero each step is far, a schedule may leave nothing, float16 may leave nothing.
From the fourth: a signal may grow without overflowing, flat ends may be there from the start, labels may be
several, and a range that cuts off much harms a model that is more than half good, too.
Two numbers are younger than the programs: a thousandth of the norm per step (learning-rate-too-low), and
ten thousand between the sizes of features (unscaled-inputs).

"""


def main() -> None:
    """Judges the programs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--logs", type=Path, help="where records are kept")
    parser.add_argument("programs", nargs="*")
    given = parser.parse_args()
    for module in MODULES:
        import_module(module)  # Registers its programs.
    cases = [CASES[name] for name in given.programs] or list(CASES.values())
    with tempfile.TemporaryDirectory() as folder:
        verdicts = judged(cases, given.logs or Path(folder))
    print(markdown(verdicts))
    if not given.programs:
        text = heading() + markdown(verdicts) + "\n"
        (HERE / "RESULTS.md").write_text(text, encoding="utf-8")


def judged(cases: Sequence[Case], logs: Path) -> dict[str, list[Verdict]]:
    """Per preset what it says of each program, which is trained for that."""
    verdicts: dict[str, list[Verdict]] = {preset: [] for preset in PRESETS}
    for case in cases:
        run = recorded(case, logs / case.name)
        for preset in PRESETS:
            verdicts[preset].append(judge(case, run, preset))
        said = verdicts["default"][-1]
        mark = "FALSE" if said.is_false_alarm else "ok" if not case.codes or said.is_right else "??"
        print(f"{mark:6}{case.name:42}{', '.join(said.codes)}", flush=True)
    return verdicts


def recorded(case: Case, folder: Path) -> Run:
    """The record in `folder`, for which the program is trained if there is none."""
    if not folder.exists():
        unfinished = folder.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        case.run(TrainingDiagnostics(unfinished, verbose=0))
        unfinished.rename(folder)
    return keras_l4.load(folder)


def heading() -> str:
    """What stands above a table."""
    return TEXT.format(
        date=datetime.date.today(),
        keras=keras.__version__,
        backend=f"{keras.backend.backend()} {version()}",
        python=platform.python_version(),
        fingerprint=code_fingerprint(*MODULES),
    )


def version() -> str:
    return importlib.metadata.version(keras.backend.backend())


if __name__ == "__main__":
    main()

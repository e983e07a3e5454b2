"""Trains all programs, prints how good the rules are, and writes RESULTS.md."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
import sys
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras

import keras_l4
from keras_l4.callbacks import TrainingDiagnostics
from tests.diagnosis.program import CASES, Case
from tests.diagnosis.table import PRESETS, Verdict, judge, markdown

HERE = Path(__file__).parent
SETS = {
    "": ("faulty", "healthy", "second_faulty", "second_healthy"),
    "unseen": ("unseen_faulty", "unseen_healthy"),
}
TEXT = """# How good the rules are

Made by `make diagnose` on {date}, Keras {keras} with {backend}, Python {python}, seed 0. The
programs are those of `faulty.py`, `healthy.py` and the two `second_*.py`; found: a finding of severity warning or worse on a
faulty program; right: one whose code is expected; false alarm: one on a healthy program. Precision
is right by all findings of a code; recall is of the programs that have this fault, found by a right
code; steps is the median number of steps until it was found, looked for ten times a run.

Thresholds were frozen before these programs were written. After the first runs of `faulty.py` and
`healthy.py`, which are in the history of this file, two programs were corrected (an adversary whose gradient cancelled, a rate that
did oscillate), and rules changed, to do what they say: the width of targets is asked of Keras' losses
only, a starved rate never rises, NaN out of the blue is no growth but Inf is. The second ones
were unseen once (90 of 96 found, 82 right, 2 of 65 false alarms, in the history of UNSEEN.md). After
that the rules learned what they had overlooked: that parts of a run differ by their batches alone, that of a
margin only the sign counts, that a schedule may starve a run, that equal units harm a model which is
only half good, too. No threshold was changed, but the rules have seen these programs: what they do on
others may be worse.

"""


UNSEEN = """# How good the rules are on programs that they had not seen

Made by `python tests/diagnosis/diagnose.py unseen` on {date}, Keras {keras} with {backend}, Python
{python}, seed 0. The programs are those of `unseen_faulty.py` and `unseen_healthy.py`, and the words those
of RESULTS.md. Who wrote them had seen neither the rules nor the other programs, and verified each label
with plain Keras; no rule changed between the commit that brought them and this table.

"""


def main() -> None:
    given = sys.argv[1:]
    name, wanted = ("unseen", given[1:]) if given[:1] == ["unseen"] else ("", given)
    modules = [f"tests.diagnosis.{module}" for module in SETS[name]]
    for module in modules:
        import_module(module)  # Registers its programs.
    cases = [case for case in CASES.values() if case.make.__module__ in modules]
    verdicts = judged([case for case in cases if not wanted or case.name in wanted])
    print(markdown(verdicts))
    if not wanted:
        file, text = ("UNSEEN.md", UNSEEN) if name else ("RESULTS.md", TEXT)
        (HERE / file).write_text(heading(text) + markdown(verdicts) + "\n", encoding="utf-8")


def judged(cases: Sequence[Case]) -> dict[str, list[Verdict]]:
    """Per preset what it says of each program, which is trained for that."""
    verdicts: dict[str, list[Verdict]] = {preset: [] for preset in PRESETS}
    for case in cases:
        with tempfile.TemporaryDirectory() as folder:
            case.run(TrainingDiagnostics(folder, verbose=0))
            run = keras_l4.load(folder)
        for preset in PRESETS:
            verdicts[preset].append(judge(case, run, preset))
        said = verdicts["default"][-1]
        mark = "FALSE" if said.is_false_alarm else "ok" if not case.codes or said.is_right else "??"
        print(f"{mark:6}{case.name:42}{', '.join(said.codes)}", flush=True)
    return verdicts


def heading(text: str) -> str:
    """What stands above a table."""
    return text.format(
        date=datetime.date.today(),
        keras=keras.__version__,
        backend=f"{keras.backend.backend()} {version()}",
        python=platform.python_version(),
    )


def version() -> str:
    return importlib.metadata.version(keras.backend.backend())


if __name__ == "__main__":
    main()

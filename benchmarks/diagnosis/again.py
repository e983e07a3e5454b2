"""Trains the labelled programs again: on another backend, with half the batch.

    KERAS_BACKEND=torch python benchmarks/diagnosis/again.py [half]

Stores the verdicts in again.json and writes AGAIN.md: where a verdict has changed, and why. Continues an
interrupted run; starts anew if the code has changed since, by its fingerprint in again.json.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).parents[2]))

import keras

import keras_l4
from benchmarks.diagnosis import faulty, healthy  # noqa: F401 (they register their programs)
from benchmarks.diagnosis.causes import CAUSES
from benchmarks.diagnosis.program import CASES, Case, code_fingerprint
from benchmarks.diagnosis.table import Verdict, judge
from keras_l4.callbacks import TrainingDiagnostics

HERE = Path(__file__).parent
FILE = HERE / "again.json"
FIRST = "tensorflow"
PROGRAMS = ("benchmarks.diagnosis.faulty", "benchmarks.diagnosis.healthy")
TEXT = """# The same programs, trained again

Made by `benchmarks/diagnosis/again.py`. The programs of `faulty.py` and `healthy.py`, on another
backend, whose initial weights are others for the same seed, or with half the batch; a row for each way that
was measured, and none for those that were not. A verdict is whether a faulty program is named
rightly, or a healthy one is left alone. Loss: that of the last epoch, as Keras shows it.

"""

Verdicts = dict[str, dict[str, Any]]


def load() -> dict[str, dict[str, Any]]:
    """Returns again.json: per way of training, `fingerprints` of the code and `verdicts`."""
    if not FILE.exists():
        return {"fingerprints": {}, "verdicts": {}}
    return json.loads(FILE.read_text(encoding="utf-8"))


def said(case: Case, half: bool) -> dict[str, Any]:
    """What the rules say of one program, and the loss at its end."""
    make = (lambda: halved(case.make())) if half else case.make
    with tempfile.TemporaryDirectory() as folder:
        try:
            history = replace(case, make=make).run(TrainingDiagnostics(folder, verbose=0))
        except RuntimeError as error:
            return {"refused": str(error).splitlines()[0]}
        verdict = judge(case, keras_l4.load(folder), "default")
    loss = history.history["loss"][-1]
    return {"holds": holds(verdict), "codes": list(verdict.codes), "loss": f"{loss:.3g}"}


def halved(program: Any) -> Any:
    """The same with half the batch; as many epochs, since the way is that of the samples."""
    return replace(program, batch_size=max(1, program.batch_size // 2))


def holds(verdict: Verdict) -> bool:
    """Whether it is that of the label."""
    return verdict.is_right if verdict.case.codes else not verdict.codes


def exceptions(known: dict[str, Verdicts]) -> list[tuple[str, str]]:
    """Way of training and program, where the verdict is not what it was at first."""
    first = known[FIRST]
    return [
        (way, name)
        for way, verdicts in known.items()
        for name, verdict in verdicts.items()
        if "refused" not in verdict and verdict["holds"] != first[name]["holds"]
    ]


def markdown(known: dict[str, Verdicts]) -> str:
    """AGAIN.md."""
    changed = exceptions(known)
    rows = ["| trained again | programs | same verdict |", "|---|---|---|"]
    for way, verdicts in known.items():
        if way != FIRST:
            num = sum(other == way for other, _ in changed)
            trained = [v for v in verdicts.values() if "refused" not in v]
            rows.append(f"| {way} | {len(trained)} | {len(trained) - num} |")
    rows += ["", "| exception | at first | again | cause |", "|---|---|---|---|"]
    for way, name in changed:
        before, after = known[FIRST][name], known[way][name]
        rows.append(f"| {way}: {name} | {_says(before)} | {_says(after)} | {CAUSES[way, name]} |")
    return TEXT + "\n".join(rows) + "\n"


def _says(verdict: dict[str, Any]) -> str:
    return f"{', '.join(verdict['codes']) or 'nothing'} (loss {verdict['loss']})"


def main(half: bool) -> None:
    """Trains all, and writes both files."""
    way = keras.backend.backend() + (", half the batch" if half else "")
    stored = load()
    verdicts = stored["verdicts"].setdefault(way, {})
    code = code_fingerprint(*PROGRAMS)
    if stored["fingerprints"].get(way) != code:
        verdicts.clear()
        stored["fingerprints"][way] = code
    for name, case in CASES.items():
        if name not in verdicts:
            verdicts[name] = said(case, half)
            print(name, verdicts[name], flush=True)
            FILE.write_text(json.dumps(stored, indent=1) + "\n", encoding="utf-8")
    (HERE / "AGAIN.md").write_text(markdown(stored["verdicts"]), encoding="utf-8")


if __name__ == "__main__":
    main(half="half" in sys.argv[1:])

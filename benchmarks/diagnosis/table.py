"""Evaluates the rules on the labelled programs, and counts how often they are right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.program import Case
from keras_l4.events import Run
from keras_l4.records.history import Record, build_record
from keras_l4.records.selection import select_steps
from keras_l4.rules import Finding, RuleEngine

PRESETS = ("default", "autotrainer", "deepdiagnosis", "sagemaker")


@dataclass(frozen=True)
class Verdict:
    """The findings of one preset for one program.

    Attributes:
        case: The program.
        codes: Codes of the findings of severity warning or higher.
        detected_at: First step after which a right code is found, or None.
        num_steps: Number of steps of the run.
    """

    case: Case
    codes: tuple[str, ...]
    detected_at: int | None
    num_steps: int

    @property
    def is_found(self) -> bool:
        return bool(self.case.codes) and bool(self.codes)

    @property
    def is_right(self) -> bool:
        return bool(set(self.codes) & set(self.case.codes))

    @property
    def is_false_alarm(self) -> bool:
        return not self.case.codes and bool(self.codes)


def judge(case: Case, run: Run, preset: str) -> Verdict:
    """Returns the verdict at the end of a run, and the step at which it was first right."""
    codes = warned(run.record, preset)
    right = bool(set(codes) & set(case.codes))
    detected = _first_detection(case, run, preset) if right else None
    return Verdict(case, codes, detected, run.record.num_steps)


def warned(record: Record, preset: str = "default") -> tuple[str, ...]:
    """Returns the codes of the findings of severity warning or higher."""
    return tuple(dict.fromkeys(f.code for f in findings(record, preset) if f.rank > 0))


def findings(record: Record, preset: str = "default") -> tuple[Finding, ...]:
    """Returns the findings of a preset.

    Raises:
        AssertionError: A rule failed.
    """

    def fail(code: str, error: Exception) -> None:
        raise AssertionError(f"rule {code} failed") from error

    return RuleEngine(preset).findings(record, fail)


def _first_detection(case: Case, run: Run, preset: str) -> int:
    """Evaluates the run at ten steps; returns the first one with a right code."""
    ends = np.unique(np.linspace(0, len(run.steps), 11)[1:].astype(int))
    for end in ends:
        step = int(run.steps[end - 1])
        if set(warned(_until(run, step), preset)) & set(case.codes):
            return step
    return int(run.steps[-1])


def _until(run: Run, step: int) -> Record:
    """Returns the record as it was after `step`."""
    blocks = [select_steps(block, block.steps <= step) for block in run.blocks]
    notes = [note for note in run.annotations if note.step <= step]
    return build_record([*notes, *(block for block in blocks if len(block))])


def totals(verdicts: Sequence[Verdict]) -> dict[str, int]:
    """Counts programs and verdicts of each kind."""
    broken = [verdict for verdict in verdicts if verdict.case.codes]
    return {
        "faulty": len(broken),
        "found": sum(verdict.is_found for verdict in broken),
        "right": sum(verdict.is_right for verdict in broken),
        "healthy": len(verdicts) - len(broken),
        "false alarms": sum(verdict.is_false_alarm for verdict in verdicts),
    }


def by_code(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, str]]:
    """Returns code, precision, recall, and median steps to detection for each fault."""
    codes = dict.fromkeys(v.case.codes[0] for v in verdicts if v.case.codes)
    return [(code, *_row(code, verdicts)) for code in codes]


def _row(code: str, verdicts: Sequence[Verdict]) -> tuple[str, str, str]:
    said = [v for v in verdicts if code in v.codes]
    right = [v for v in said if code in v.case.codes]
    own = [v for v in verdicts if v.case.codes[:1] == (code,)]
    steps = [v.detected_at for v in own if v.detected_at is not None]
    recall = sum(v.is_right for v in own)
    return (
        f"{len(right)}/{len(said)}",
        f"{recall}/{len(own)}",
        f"{int(np.median(steps))}" if steps else "–",
    )


def markdown(verdicts: dict[str, list[Verdict]]) -> str:
    """Returns the tables of all presets as Markdown."""
    head = "| rules | faulty | found | right | healthy | false alarms |\n|---|---|---|---|---|---|"
    rows = [
        f"| {preset} | {' | '.join(map(str, totals(found).values()))} |"
        for preset, found in verdicts.items()
    ]
    codes = [
        f"| `{code}` | {precision} | {recall} | {steps} |"
        for code, precision, recall, steps in by_code(verdicts["default"])
    ]
    per_code = ["| code | precision | recall | steps |", "|---|---|---|---|", *codes]
    missed = _lines(verdicts["default"], lambda v: bool(v.case.codes) and not v.is_right)
    alarms = _lines(verdicts["default"], lambda v: v.is_false_alarm)
    return "\n".join(
        [
            head,
            *rows,
            "",
            *per_code,
            "",
            "Not right:",
            "",
            *missed,
            "",
            "False alarms:",
            "",
            *alarms,
        ]
    )


def _lines(verdicts: Sequence[Verdict], wanted: Callable[[Verdict], bool]) -> list[str]:
    lines = [
        f"- {v.case.name}: {', '.join(v.codes) or 'nothing'}"
        + (f" (expected {' or '.join(v.case.codes)})" if v.case.codes else "")
        for v in verdicts
        if wanted(v)
    ]
    return lines or ["- none"]

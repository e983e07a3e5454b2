"""Formats results as Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from budgets import BASELINE, BUDGETS, CONTROL, LARGE, RECORD_BUDGET, SUBJECT, WITHOUT_RULES
from ratios import Result, ratios, record_bytes, start_milliseconds, step_milliseconds

STANDARD_VARIANTS = (BASELINE, CONTROL, SUBJECT, WITHOUT_RULES)


def report(results: list[Result]) -> str:
    """Returns the tables that have rows, and notes on how to read them."""
    timed = [result for result in results if result["model"] in (*BUDGETS, *LARGE)]
    scaled = [result for result in results if result not in timed]
    sections = [_speed(timed), _alternatives(timed), _scaling(scaled), _notes(results)]
    return "\n\n".join(section for section in sections if section)


def _speed(results: list[Result]) -> str:
    head = ["backend", "device", "model", "variables", "steps", "stock ms/step", CONTROL, SUBJECT]
    head += [WITHOUT_RULES, "budget", "within budget", "start ms/fit", "bytes/variable/step"]
    return _markdown("Speed", head, [_speed_row(result) for result in results])


def _speed_row(result: Result) -> list[str]:
    row = [str(result[name]) for name in ("backend", "device", "model", "variables", "steps")]
    row += [f"{step_milliseconds(result, BASELINE):.2f}"]
    row += [_ratio(result, name) for name in (CONTROL, SUBJECT, WITHOUT_RULES)]
    budget = BUDGETS.get(result["model"], {}).get(result["backend"])
    row += [f"{budget:.2f}" if budget else "–", _within(result, budget)]
    if SUBJECT not in result["series"]:
        return [*row, "–", "–"]
    return [*row, f"{start_milliseconds(result):+.1f}", f"{record_bytes(result):.1f}"]


def _within(result: Result, budget: float | None) -> str:
    if budget is None or SUBJECT not in result["series"]:
        return "–"
    # If stock Keras misses the budget against itself, the machine is too busy to measure it.
    if _noise([result]) > budget - 1:
        return "too noisy"
    return "yes" if np.median(ratios(result, SUBJECT)) <= budget else "no"


def _alternatives(results: list[Result]) -> str:
    compared = [result for result in results if _alternative_names(result)]
    names = list(dict.fromkeys(name for result in compared for name in _alternative_names(result)))
    rows = [
        [result["backend"], result["model"], *(_ratio(result, name) for name in (SUBJECT, *names))]
        for result in compared
    ]
    return _markdown("Alternatives", ["backend", "model", SUBJECT, *names], rows)


def _alternative_names(result: Result) -> list[str]:
    names = [*result["series"], *result["failures"]]
    return [name for name in names if name not in STANDARD_VARIANTS]


def _scaling(results: list[Result]) -> str:
    head = ["backend", "variables", "parameters", "steps", "stock ms/step", SUBJECT]
    head += ["added µs/variable/step"]
    return _markdown("Scaling", head, [_scaling_row(result) for result in results])


def _scaling_row(result: Result) -> list[str]:
    stock = step_milliseconds(result, BASELINE)
    row = [result["backend"], *(str(result[k]) for k in ("variables", "parameters", "steps"))]
    row += [f"{stock:.2f}"]
    if SUBJECT not in result["series"]:
        return [*row, "failed", "–"]
    added = (step_milliseconds(result, SUBJECT) - stock) * 1e3 / result["variables"]
    return [*row, _ratio(result, SUBJECT), f"{added:.2f}"]


def _ratio(result: Result, variant: str) -> str:
    if variant not in result["series"]:
        return "failed" if variant in result["failures"] else "–"
    low, median, high = np.percentile(ratios(result, variant), [25, 50, 75])
    return f"{median:.2f} [{low:.2f}, {high:.2f}]"


def _notes(results: list[Result]) -> str:
    notes = [
        "Ratios of wall time per step to stock Keras: median [quartiles] over the rounds. "
        "`start ms/fit` is the additional cost per fit, not included in the ratio. Budget for the record: "
        f"{RECORD_BUDGET} bytes per variable and step.",
        f"Noise: `{CONTROL}` differs from 1 by up to {_noise(results):.2f}.",
    ]
    return "\n".join([*notes, *_failures(results)])


def _noise(results: list[Result]) -> float:
    controlled = [result for result in results if CONTROL in result["series"]]
    return max((abs(np.median(ratios(r, CONTROL)) - 1) for r in controlled), default=np.nan)


def _failures(results: list[Result]) -> Iterable[str]:
    for result in results:
        for variant, message in result["failures"].items():
            yield f"FAILED {result['backend']}, {result['model']}, {variant}: {message}"


def _markdown(title: str, head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    lines = ["| " + " | ".join(cells) + " |" for cells in [head, ["---"] * len(head), *rows]]
    return "\n".join([f"## {title}", "", *lines])

"""findings: what the rules say of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_l4.dashboard.panels._base import Panel
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository, num_missing
from keras_l4.events.run import Run
from keras_l4.rules import RuleEngine


class Findings(Panel):
    """Judges what was recorded, as `python -m keras_l4 report` and the callback do.

    Nothing but the record has to be in the event file for that: a run that was killed, that is
    still being written, or that an older version wrote is judged like any other.
    """

    name = "findings"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        listing = source.listing(ask.text("run"))
        return source.once(listing, self.name, lambda: findings(source.whole(listing)))


def findings(run: Run) -> dict[str, Any]:
    """The findings of a run, the worst first, and what has to be known beside them."""
    failed: list[str] = []

    def note(code: str, error: Exception) -> None:
        failed.append(f"{code} failed: {type(error).__name__}: {error}")

    found = RuleEngine.of(run.record, note).findings(run.record, note)
    return {
        "findings": [finding.as_dict() for finding in found],
        "failed_rules": failed,
        "optimizer": run.blocks[-1].optimizer,
        "first_step": int(run.steps[0]),
        "last_step": int(run.steps[-1]),
        "num_layers": len(run.blocks[-1].layers),
        "num_variables": len(run.variables),
        "num_superseded": run.num_superseded,
        "num_missing": num_missing(run),
    }

"""findings: the findings of the rules for a run."""

from __future__ import annotations

from typing import Any

from keras_l4.dashboard.panel import Json, Panel
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository, num_missing_steps
from keras_l4.events.run import Run
from keras_l4.rules import RuleEngine


class FindingsPanel(Panel):
    """Evaluates the rules on the record, as the callback and `python -m keras_l4 report` do.

    Findings are not stored in the event file. A run that was killed, that is still being written
    or that was written by an older version is therefore evaluated like any other.
    """

    name = "findings"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        index = repository.index(parameters.text("run"))
        return repository.cached(
            index, self.name, lambda: findings_json(repository.read_all(index))
        )


def findings_json(run: Run) -> dict[str, Any]:
    """Returns the findings of a run, most severe first, and a summary of the run."""
    failed_rules: list[str] = []

    def on_error(code: str, error: Exception) -> None:
        failed_rules.append(f"{code} failed: {type(error).__name__}: {error}")

    findings = RuleEngine.of(run.record, on_error).findings(run.record, on_error)
    return {
        "findings": [finding.as_dict() for finding in findings],
        "failed_rules": failed_rules,
        "optimizer": run.blocks[-1].optimizer,
        "first_step": int(run.steps[0]),
        "last_step": int(run.steps[-1]),
        "num_layers": len(run.blocks[-1].layers),
        "num_variables": len(run.variables),
        "num_superseded": run.num_superseded,
        "num_missing": num_missing_steps(run),
    }

"""Evaluated run: a run that was read from a log directory, and its findings."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_l4.events import Run, load
from keras_l4.rules import Finding, RuleEngine, Rules


@dataclass(frozen=True)
class EvaluatedRun:
    """A run and its findings.

    Attributes:
        log_dir: Log directory of the run.
        run: The recorded run.
        findings: The findings, the most severe first.
    """

    log_dir: Path
    run: Run
    findings: tuple[Finding, ...]

    @classmethod
    def read(
        cls,
        log_dir: str | os.PathLike[str],
        rules: Rules | None = None,
        optimizer: str | None = None,
    ) -> EvaluatedRun:
        """Reads a log directory, as `keras_l4.load` does, and runs the rules on it.

        Args:
            log_dir: As for `load`.
            rules: As for `RuleEngine`; None for the rules that the callback was created with.
            optimizer: As for `load`.

        Raises:
            FileNotFoundError: The directory does not exist.
            ValueError: The directory contains no run or several runs, or `rules` is unknown.
        """
        # Created before the run is read, which may take long, so that a wrong name fails at once.
        engine = None if rules is None else RuleEngine(rules)
        run = load(log_dir, optimizer)
        engine = engine or RuleEngine.of(run.record, _warn)
        return cls(Path(log_dir), run, engine.findings(run.record, _warn))

    def as_dict(self) -> Mapping[str, Any]:
        """Returns the output of `report --json`."""
        return {
            "log_dir": os.fspath(self.log_dir),
            "optimizer": self.run.blocks[-1].optimizer,
            "first_step": int(self.run.steps[0]),
            "last_step": int(self.run.steps[-1]),
            "findings": [finding.as_dict() for finding in self.findings],
        }

    def __str__(self) -> str:
        steps = self.run.steps
        return (
            f"{self.log_dir}: steps {steps[0]} to {steps[-1]}, "
            f"{len(self.run.variables)} variables, optimizer {self.run.blocks[-1].optimizer}"
        )


def _warn(code: str, error: Exception) -> None:
    warnings.warn(
        f"rule {code} failed and was skipped. {type(error).__name__}: {error}",
        RuntimeWarning,
        stacklevel=2,
    )

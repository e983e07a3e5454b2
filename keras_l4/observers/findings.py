"""FindingsReport: evaluates the rules while the run is recorded, and at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.formatting import format_line, format_markdown, print_findings
from keras_l4.observers.base import Observer, ObserverContext
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.records.history import History
from keras_l4.records.metadata import ModelMetadata
from keras_l4.rules import Finding, RuleEngine, Rules

# Rules take at most 1 % of the time, and run at most once a second.
_TIME_FRACTION = 0.01
_MIN_SECONDS = 1.0


class FindingsReport(Observer):
    """Keeps the run in bounded memory and evaluates rules on it.

    Args:
        rules: As `RuleEngine` takes them; None for no rules, and no inspection of the model.
    """

    def __init__(self, rules: Rules | None) -> None:
        self.wants_annotations = rules is not None
        self._engine = None if rules is None else RuleEngine(rules)
        self._breaker = CircuitBreaker()
        self._history = History()
        self._findings: tuple[Finding, ...] = ()
        self._is_outdated = False
        self._printed_codes: set[str] = set()
        self._next_evaluation = 0.0

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules."""
        return () if self._engine is None else self._engine.names

    def findings(self) -> tuple[Finding, ...]:
        """Returns the findings so far, the most severe first."""
        record = self._history.record() if self._is_outdated and self._engine else None
        if record is not None and self._engine is not None:
            self._findings = self._engine.findings(record, self._disable_rule)
            self._is_outdated = False
        return self._findings

    def add_annotation(self, annotation: Annotation) -> None:
        if isinstance(annotation, ModelMetadata):
            self._next_evaluation = time.monotonic() + _MIN_SECONDS
        self._history.add(annotation)
        self._is_outdated = True

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        if self._engine is None:
            return
        self._history.add(block)
        self._is_outdated = True
        if time.monotonic() >= self._next_evaluation:
            self._evaluate_now(context)

    def evaluate_rules(self, context: ObserverContext) -> None:
        context.broadcast_findings(self.findings())

    def end_training(self, context: ObserverContext) -> str:
        if self._engine is None:
            return ""
        findings = self.findings()
        if context.is_verbose:
            problems = [finding for finding in findings if finding.rank > 0]
            print_findings(problems)
            _print_summary(problems, context)
        return format_markdown(findings)

    def _evaluate_now(self, context: ObserverContext) -> None:
        """Broadcasts the findings while training goes on; prints new errors."""
        begin = time.monotonic()
        findings = self.findings()
        context.broadcast_findings(findings)
        for finding in findings:
            is_new = finding.severity == "error" and finding.code not in self._printed_codes
            # `on_nonfinite` reports non-finite steps already, with the batch.
            if is_new and finding.code != "nonfinite":
                self._printed_codes.add(finding.code)
                context.print_message(format_line(finding))
        end = time.monotonic()
        self._next_evaluation = end + max(_MIN_SECONDS, (end - begin) / _TIME_FRACTION)

    def _disable_rule(self, code: str, error: Exception) -> None:
        self._breaker.trip(f"rule {code}", error)


def _print_summary(problems: Sequence[Finding], context: ObserverContext) -> None:
    """Prints how to view the run, at the end of a `fit` that prints itself."""
    result = "" if problems else "No problems found."
    command = context.log_dir and f"View the run with: tensorboard --logdir {context.log_dir}"
    if context.is_fit_verbose and (result or command):
        context.print_message(" ".join(filter(None, [result, command])))

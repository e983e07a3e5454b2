"""FindingsReport: what the rules say of the run, while it runs and at its end."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_l4 import backend
from keras_l4.observers.base import Observer
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.records.history import History
from keras_l4.records.metadata import ModelMetadata
from keras_l4.rules import Finding, RuleEngine, Rules
from keras_l4.session.circuit_breaker import CircuitBreaker
from keras_l4.wording import line, markdown, print_findings

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


# Judging takes at most a hundredth of the time, and nobody reads faster than once a second.
_SHARE = 0.01
_SECONDS = 1.0


class FindingsReport(Observer):
    """Keeps the run in bounded memory, and has it judged.

    Args:
        rules: As `Judge` takes them; None for no rules, and no look at the model.
    """

    def __init__(self, rules: Rules | None) -> None:
        self.takes_notes = rules is not None
        self._judge = None if rules is None else RuleEngine(rules)
        self._fuse = CircuitBreaker()
        self._history = History()
        self._findings: tuple[Finding, ...] = ()
        self._is_stale = False
        self._said: set[str] = set()
        self._next_time = 0.0

    @property
    def rules(self) -> tuple[str, ...]:
        """Their names."""
        return () if self._judge is None else self._judge.names

    def begin_epoch(self) -> None:
        """Nothing begins anew: a run may have many epochs."""

    def epoch_logs(self) -> Mapping[str, float]:
        return {}

    def note(self, note: Annotation) -> None:
        if isinstance(note, ModelMetadata):
            self._next_time = time.monotonic() + _SECONDS
        self._history.add(note)
        self._is_stale = True

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        if self._judge is None:
            return
        self._history.add(block)
        self._is_stale = True
        if time.monotonic() >= self._next_time:
            self._warn_at_once(callback)

    def findings(self) -> tuple[Finding, ...]:
        """What is known by now, the worst first."""
        record = self._history.record() if self._is_stale and self._judge else None
        if record is not None and self._judge is not None:
            self._findings = self._judge.findings(record, self._switch_off)
            self._is_stale = False
        return self._findings

    def judge(self, callback: RecordingCallback) -> None:
        callback.publish(self.findings())

    def end_training(self, callback: RecordingCallback) -> str:
        if self._judge is None:
            return ""
        findings = self.findings()
        told = [finding for finding in findings if finding.rank > 0]
        if callback.options.verbose and backend.distribution.is_first_process():
            print_findings(told)
            self._close(told, callback)
        return markdown(findings)

    def _close(self, told: Sequence[Finding], callback: RecordingCallback) -> None:
        """Says where to look, at the end of a `fit` that is not silent itself."""
        log_dir = callback.options.log_dir
        found = "" if told else "nothing to warn of. "
        place = "" if log_dir is None else f"See it: tensorboard --logdir {os.fspath(log_dir)}"
        # None in a loop of the user's own.
        of_fit = callback.params or {"verbose": 0}
        if of_fit["verbose"] and (found or place):
            callback.say(found + place)

    def _warn_at_once(self, callback: RecordingCallback) -> None:
        begin = time.monotonic()
        findings = self.findings()
        callback.publish(findings)
        for finding in findings:
            # What is not finite is told by `action`, and with its batch.
            is_new = finding.severity == "error" and finding.code not in self._said
            if is_new and finding.code != "nonfinite":
                self._said.add(finding.code)
                callback.say(line(finding))
        end = time.monotonic()
        self._next_time = end + max(_SECONDS, (end - begin) / _SHARE)

    def _switch_off(self, code: str, error: Exception) -> None:
        self._fuse.tell(f"rule {code}", error)

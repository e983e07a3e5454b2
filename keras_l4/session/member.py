"""What a session needs of the callbacks that share it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.rules import Finding
from keras_l4.session.options import Options


class SessionMember(Protocol):
    """A callback, as the session sees it; `RecordingCallback` implements it."""

    options: Options

    @property
    def quantities(self) -> Sequence[str]:
        """Names of the quantities to record."""

    @property
    def on_nonfinite(self) -> str:
        """Reaction to NaN and Inf: `"warn"`, `"skip"`, `"stop"` or `"raise"`."""

    @property
    def has_flight_recorder(self) -> bool:
        """True if the callback keeps what a replay of the last steps needs."""

    @property
    def rules(self) -> Sequence[str]:
        """Names of the rules that the callback evaluates."""

    @property
    def wants_annotations(self) -> bool:
        """True if `add_annotation` is of use."""

    def observe(self, block: StepBlock) -> None:
        """Receives a block of recorded steps."""

    def add_annotation(self, annotation: Annotation) -> None:
        """Receives an annotation of the run."""

    def evaluate_rules(self) -> None:
        """Evaluates the rules on the whole run and broadcasts the findings."""

    def on_findings(self, findings: Sequence[Finding]) -> None:
        """Receives the findings so far; called while a block is delivered."""

    def run_requested_measurements(self) -> None:
        """Takes the measurements that findings have requested."""

    def end_training(self) -> str:
        """Reports the results of the training; returns them in Markdown."""

    def print_message(self, message: str) -> None:
        """Prints a line, if the callback is verbose."""

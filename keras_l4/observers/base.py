"""Observer: what a callback does with the blocks that it receives."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.rules import Finding

NonFiniteAction: TypeAlias = Literal["warn", "stop", "raise"]
"""Values of `on_nonfinite` that every callback with this argument takes."""


class ObserverContext(Protocol):
    """What an observer may use of its callback."""

    @property
    def is_verbose(self) -> bool:
        """True if the callback prints, in this process."""

    @property
    def is_fit_verbose(self) -> bool:
        """True if `fit` itself prints; False in a custom loop."""

    @property
    def log_dir(self) -> str | None:
        """Directory of the run, or None."""

    @property
    def scales_loss(self) -> bool:
        """True if dynamic loss scaling may skip steps."""

    @property
    def skips_updates(self) -> bool:
        """True if updates with non-finite gradients are skipped."""

    def print_message(self, message: str) -> None:
        """Prints a line, if the callback is verbose."""

    def stop_training(self) -> None:
        """Makes `fit` end after the current batch."""

    def broadcast_findings(self, findings: Sequence[Finding]) -> None:
        """Passes the findings so far to all callbacks of the session."""


class Observer(abc.ABC):
    """Receives every block of recorded steps. A subclass implements `observe`.

    Attributes:
        wants_annotations: Whether `add_annotation` is to be called.
    """

    wants_annotations = False

    @abc.abstractmethod
    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        """Receives a block of recorded steps, in order."""

    def add_annotation(self, annotation: Annotation) -> None:  # noqa: B027 (optional)
        """Receives an annotation of the run; called only if `wants_annotations`."""

    def begin_epoch(self) -> None:  # noqa: B027 (optional)
        """Resets the statistics of the epoch."""

    def epoch_logs(self) -> Mapping[str, float]:
        """Returns what to add to the `logs` of the epoch, which `History` and the progress bar show."""
        return {}

    def evaluate_rules(self, context: ObserverContext) -> None:  # noqa: B027 (optional)
        """Broadcasts the findings about the whole run, before any observer ends the training."""

    def end_training(self, context: ObserverContext) -> str:
        """Reports the results of the training; returns them in Markdown."""
        return ""


def react(
    on_nonfinite: NonFiniteAction,
    problem: str,
    step: int,
    consequence: str,
    context: ObserverContext,
) -> None:
    """Reports a problem and takes the action that the user chose.

    Args:
        on_nonfinite: The action.
        problem: A sentence without its full stop.
        step: The last step that was run before the problem was read.
        consequence: A sentence about the state of the weights when training ends; may be empty.
        context: The callback of the observer.

    Raises:
        FloatingPointError: `on_nonfinite` is `"raise"`.
    """
    if on_nonfinite == "warn":
        context.print_message(f"{problem}.")
        return
    end = f'Training ends after step {step} (on_nonfinite="{on_nonfinite}").'
    message = " ".join(filter(None, [f"{problem}.", end, consequence]))
    if on_nonfinite == "raise":
        raise FloatingPointError(message)
    context.print_message(message)
    context.stop_training()

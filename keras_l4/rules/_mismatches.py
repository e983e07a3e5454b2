"""Ways in which output, loss and targets do not fit together, most certain first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from keras_l4.records.metadata import ModelMetadata
from keras_l4.rules import _learning_checks as learning
from keras_l4.rules import _output_checks as output
from keras_l4.rules._evidence import RunView
from keras_l4.rules._mismatch import Mismatch

_CHECKS: tuple[Callable[[RunView, ModelMetadata, str], Mismatch | None], ...] = (
    output.softmax_of_one,
    output.crossentropy_of_one,
    output.targets_no_probabilities,
    output.width,
    output.softmax_of_several,
    output.targets_out_of_range,
    output.no_probabilities,
    output.twice_normalized,
    learning.frozen_accuracy,
    learning.hidden_softmax,
    learning.linear_stack,
    learning.mixed,
    learning.regression_of_classes,
)


def mismatches(run: RunView) -> Iterator[Mismatch]:
    """Those that are seen in the run."""
    facts = run.facts
    if facts is None or run.output is None:
        return
    for check in _CHECKS:
        found = check(run, facts, run.output.activation)
        if found is not None:
            yield found

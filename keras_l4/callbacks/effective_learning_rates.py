"""EffectiveLearningRates: how far one unit of gradient moves a weight."""

from __future__ import annotations

import os
from typing import Unpack

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.session.options import CommonArguments


class EffectiveLearningRates(RecordingCallback):
    """Records the effective learning rate of every variable at every step.

    And on every `every`-th step its distribution over the variable's elements: minimum, 5 %, 50 %
    and 95 % quantile, maximum, and the share of elements in whose denominator ε prevails.

    Args:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        **options: Those of `TrainingDiagnostics`.

    Example:

    >>> callback = EffectiveLearningRates(every=20)
    """

    quantities = (
        "effective_learning_rate",
        "effective_learning_rate_min",
        "effective_learning_rate_p5",
        "effective_learning_rate_p50",
        "effective_learning_rate_p95",
        "effective_learning_rate_max",
        "epsilon_dominated_fraction",
        "undefined_rate_count",
    )

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[CommonArguments],
    ) -> None:
        super().__init__(log_dir, [], **options)

"""EffectiveLearningRates: the step size per unit of gradient, of every variable."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.records.block import By
from keras_l4.session.options import Hook, StrPath


class EffectiveLearningRates(RecordingCallback):
    """Records the effective learning rate of every variable at every step.

    At sampled steps it also records the distribution over the elements of the variable: minimum,
    5 %, 50 % and 95 % quantile, maximum, and the fraction of elements with a denominator that is
    dominated by ε.

    Args:
        log_dir: Directory of the run. Event files go to `<log_dir>/diagnostics`; None writes none.
        every: Number of steps between two sampled steps, at which the costlier quantities are
            recorded, too. Suspicious steps are always sampled.
        flush_every: Maximum number of steps between two read-outs of the device, which also
            happen after five seconds and at the end of an epoch. None means 64, or up to 1024
            for a small model.
        update_freq: Number of steps between two points of a scalar in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        optimizer: Optimizer to record, if the model has several. None means `model.optimizer`.
        hooks: Callables that receive every `StepBlock`, for custom logging.
        histogram_freq: Number of epochs between two histograms of gradients and weights; 0
            writes none.
        look_at_data: Whether findings may use a small sample of the arrays that `fit` was given,
            and the model's predictions for it.
        verbose: 0 prints nothing. Warnings and errors are not affected.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is invalid.

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
        log_dir: StrPath | None = None,
        *,
        every: int = 10,
        flush_every: int | None = None,
        update_freq: int = 50,
        include: str | None = None,
        exclude: str | None = None,
        by: By = "layer",
        optimizer: Any = None,
        hooks: Sequence[Hook] = (),
        histogram_freq: int = 0,
        look_at_data: bool = True,
        verbose: int = 1,
    ) -> None:
        super().__init__(
            log_dir,
            every=every,
            flush_every=flush_every,
            update_freq=update_freq,
            include=include,
            exclude=exclude,
            by=by,
            optimizer=optimizer,
            hooks=hooks,
            histogram_freq=histogram_freq,
            look_at_data=look_at_data,
            verbose=verbose,
        )

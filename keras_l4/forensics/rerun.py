"""Rerun: the steps of a capsule, run again."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_l4 import backend, keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.tape import RngState
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader, RingSlice


@dataclass(frozen=True)
class Rerun:
    """One step that was run again.

    Attributes:
        number: Of the step, as it was recorded.
        batch: What it was given.
        draw: What it drew from, beside seed generators of the model.
        before: The state before it.
        after: The state after it.
        loss: As Keras showed it, the mean over the epoch so far; NaN of a step that was not finished.
        norms: Gradient norm of each variable, `float32[variables]`.
        num_nonfinite: Elements of its gradients that are not finite; 0 where loss scaling skipped it,
            which is how it finds its scale.
    """

    number: int
    batch: keras_internals.Batch
    draw: RngState
    before: keras_internals.State
    after: keras_internals.State
    loss: float
    norms: np.ndarray
    num_nonfinite: int

    @property
    def is_finite(self) -> bool:
        """Whether its loss, the gradients that it applied and what it left are."""
        left = [x for kind, values in self.after.items() if kind != "metrics" for x in values]
        floats = [x for x in left if x.dtype.kind == "f"]
        return bool(
            np.isfinite(self.loss)
            and not self.num_nonfinite
            and all(np.isfinite(x).all() for x in floats)
        )


def rerun(model: Any, capsule: Capsule) -> Iterator[Rerun]:
    """Runs the steps of a capsule with the model's own train step, in order.

    Raises:
        ValueError: The model has other variables than the capsule.
    """
    keras_internals.build_model(model, keras_internals.as_fed(capsule.batches[0][0]))
    keras_internals.write_state(model, capsule.state)
    number, before = capsule.about["step"], capsule.state
    rates = _rates(capsule.rows)
    with _recorded(model) as reader, _mean_loss_kept(model) as reset_metrics:
        for position, (batch, draw) in enumerate(capsule.batches):
            if position in capsule.about["epochs_begin"]:
                reset_metrics()
            keras_internals.set_random_state(draw)
            if number + 1 in rates:
                # A callback may have changed it since then.
                keras_internals.set_learning_rate(model.optimizer, rates[number + 1])
            loss = _trained(model, batch, reader)
            after, chunk = keras_internals.read_state(model), reader.read()
            norms, num_nonfinite = _measured(chunk) if chunk else (np.zeros(0), 0)
            number += chunk is not None or loss is None
            shown = np.nan if loss is None else loss
            yield Rerun(number, batch, draw, before, after, shown, norms, num_nonfinite)
            before = after


def _rates(rows: Mapping[str, np.ndarray]) -> dict[int, float]:
    """Nominal learning rates by step, where there is one."""
    pairs = zip(rows["steps"], rows["learning_rate"], strict=True)
    return {int(step): float(rate) for step, rate in pairs if np.isfinite(rate)}


def _trained(model: Any, batch: keras_internals.Batch, reader: Reader) -> float | None:
    """The loss as Keras shows it; None where the framework does not finish the step."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(keras_internals.as_fed(batch))
    try:
        with backend.step_state.expose_in_optimizer_variables(reader.recorder.rings):
            return float(model.train_on_batch(x, y, weight, return_dict=True)["loss"])
    except Exception as error:
        if not keras_internals.words_of(error):
            raise
        return None


def _measured(chunk: RingSlice) -> tuple[np.ndarray, int]:
    """Norms, and how many elements of the gradients that were applied are not finite."""
    row, applied = chunk.every_step, not chunk.index["skipped"].any()
    broken = row["nan_count"].sum() + row["inf_count"].sum()
    return row["gradient_norm"].ravel(), int(broken * applied)


@contextlib.contextmanager
def _mean_loss_kept(model: Any) -> Iterator[Callable[[], None]]:
    """`train_on_batch` resets metrics, and `fit` shows means over the epoch."""
    reset_metrics = model.reset_metrics
    # Straight into the dictionary: Keras and torch track what is assigned.
    vars(model)["reset_metrics"] = lambda: None
    try:
        yield reset_metrics
    finally:
        del vars(model)["reset_metrics"]


@contextlib.contextmanager
def _recorded(model: Any) -> Iterator[Reader]:
    optimizer = model.optimizer
    instrument(optimizer, RecorderConfig(quantities=("gradient_norm",), every=2**30, flush_every=2))
    try:
        with keras_internals.retraced(model):
            yield Reader(optimizer.recorder)
    finally:
        restore(optimizer)

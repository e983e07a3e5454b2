"""Replays the steps of a capsule with the model's own train step."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_l4 import backend, keras_internals
from keras_l4.forensics.batch_buffer import RngState
from keras_l4.forensics.capsule import Capsule
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.reader import Reader, RingSlice


@dataclass(frozen=True)
class ReplayedStep:
    """One replayed step.

    Attributes:
        number: Number of the step in the recorded run.
        batch: The batch.
        rng_state: Random state before the step, as in `RecordedBatch`.
        before: Training state before the step.
        after: Training state after the step.
        loss: Loss as Keras reports it, the mean over the epoch so far. NaN if the framework
            raised an error and did not finish the step.
        gradient_norms: Gradient norm of each variable, `float32[variables]`.
        num_nonfinite: Number of NaN and Inf elements in the gradients. 0 if dynamic loss scaling
            skipped the update, which is part of its normal operation.
    """

    number: int
    batch: keras_internals.Batch
    rng_state: RngState
    before: keras_internals.TrainingState
    after: keras_internals.TrainingState
    loss: float
    gradient_norms: np.ndarray
    num_nonfinite: int

    @property
    def is_finite(self) -> bool:
        """True if the loss, the applied gradients and the new training state are finite."""
        # Metrics do not influence the training, and may be NaN while they have no data.
        arrays = [x for kind, values in self.after.items() if kind != "metrics" for x in values]
        floats = [x for x in arrays if x.dtype.kind == "f"]
        return bool(
            np.isfinite(self.loss)
            and not self.num_nonfinite
            and all(np.isfinite(x).all() for x in floats)
        )


def replay_steps(model: Any, capsule: Capsule) -> Iterator[ReplayedStep]:
    """Replays the steps of a capsule in order. Changes the state of the model.

    Raises:
        ValueError: The variables of the model differ from those in the capsule.
    """
    keras_internals.build_model(model, keras_internals.to_model_input(capsule.batches[0][0]))
    keras_internals.write_state(model, capsule.state)
    number, before = capsule.metadata["step"], capsule.state
    learning_rates = _learning_rates(capsule.rows)
    reset_metrics = model.reset_metrics
    # `train_on_batch` would reset the metrics before each batch, but recorded losses are means over
    # an epoch, as `fit` reports them.
    with _instrumented(model) as reader, keras_internals.without_metric_reset(model):
        for position, (batch, rng_state) in enumerate(capsule.batches):
            if position in capsule.metadata["epoch_starts"]:
                reset_metrics()
            keras_internals.set_random_state(rng_state)
            if number + 1 in learning_rates:
                # A callback may have changed the learning rate after the snapshot.
                keras_internals.set_learning_rate(model.optimizer, learning_rates[number + 1])
            loss = _train(model, batch, reader)
            after, recorded = keras_internals.read_state(model), reader.read()
            norms, num_nonfinite = _measurements(recorded) if recorded else (np.zeros(0), 0)
            # With gradient accumulation a batch need not complete a step.
            number += recorded is not None or loss is None
            reported_loss = np.nan if loss is None else loss
            yield ReplayedStep(
                number, batch, rng_state, before, after, reported_loss, norms, num_nonfinite
            )
            before = after


def _learning_rates(rows: Mapping[str, np.ndarray]) -> dict[int, float]:
    """Returns the recorded nominal learning rates by step, without those that are NaN."""
    pairs = zip(rows["steps"], rows["learning_rate"], strict=True)
    return {int(step): float(rate) for step, rate in pairs if np.isfinite(rate)}


def _train(model: Any, batch: keras_internals.Batch, reader: Reader) -> float | None:
    """Returns the loss that Keras reports; None if the framework raises at a non-finite number."""
    x, y, weight = keras.utils.unpack_x_y_sample_weight(keras_internals.to_model_input(batch))
    try:
        with backend.step_state.expose_in_optimizer_variables(reader.recorder.rings):
            return float(model.train_on_batch(x, y, weight, return_dict=True)["loss"])
    except Exception as error:
        if not keras_internals.nonfinite_message(error):
            raise
        return None


def _measurements(recorded: RingSlice) -> tuple[np.ndarray, int]:
    """Returns the gradient norms, and the number of non-finite elements in applied gradients."""
    values, is_applied = recorded.per_step, not recorded.index["skip_reason"].any()
    num_nonfinite = values["nan_count"].sum() + values["inf_count"].sum()
    return values["gradient_norm"].ravel(), int(num_nonfinite * is_applied)


@contextlib.contextmanager
def _instrumented(model: Any) -> Iterator[Reader]:
    optimizer = model.optimizer
    instrument(optimizer, RecorderConfig(quantities=("gradient_norm",), every=2**30, flush_every=2))
    try:
        with keras_internals.with_fresh_trace(model):
            yield Reader(optimizer.recorder)
    finally:
        restore(optimizer)

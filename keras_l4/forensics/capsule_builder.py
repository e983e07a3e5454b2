"""Builds a capsule from a batch buffer, while training runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics.batch_buffer import BatchBuffer
from keras_l4.forensics.capsule import FORMAT, Capsule
from keras_l4.forensics.pytree_json import to_json
from keras_l4.records.block import StepBlock


def build_capsule(
    model: Any, buffer: BatchBuffer, blocks: Sequence[StepBlock], event: Mapping[str, Any]
) -> Capsule:
    """Returns the capsule of an event.

    Args:
        model: The model that is trained.
        buffer: Snapshot from before the event, and the batches since then.
        blocks: What was recorded since the snapshot.
        event: `step` and `message`.

    Raises:
        TypeError: A batch contains something else than arrays.
    """
    variables, state = keras_internals.state_variables(model), buffer.state or {}
    metadata = {
        "format": FORMAT,
        "event": dict(event),
        "step": buffer.step,
        "structures": [to_json(batch) for batch in buffer.batches],
        "epoch_starts": buffer.epoch_starts,
        # Metrics that were created after the snapshot come last and have no value in it.
        "variables": {k: [v.path for v in variables[k][: len(state[k])]] for k in state},
        "recorded": [v.path for v in blocks[-1].variables] if blocks else [],
        "backend": keras.backend.backend(),
        "dtype_policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "versions": _versions(),
        **_model_config(model),
    }
    return Capsule(metadata, state, buffer.batches, _rows(blocks))


def _versions() -> dict[str, str]:
    packages = "keras", "keras_l4", "numpy", keras.backend.backend()
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def _model_config(model: Any) -> dict[str, Any]:
    """Returns the configuration of the model with its optimizer and loss, or the error."""
    try:
        with (
            keras_internals.without_loading_tensorflow(),
            keras_internals.with_variable_values(model),
        ):
            config = json.loads(model.to_json())
        if not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            # Keras does not save this argument of `compile`. With its default, True, a model with
            # mixed precision would be restored with loss scaling.
            config["compile_config"]["auto_scale_loss"] = False
        return {"model": config}
    except Exception as error:  # A user's `get_config` may raise anything.
        return {"model": None, "model_error": f"{type(error).__name__}: {error}"}


def _rows(blocks: Sequence[StepBlock]) -> dict[str, np.ndarray]:
    if not blocks:
        return {
            "steps": np.zeros(0, np.int64),
            "loss": np.zeros(0),
            "learning_rate": np.zeros(0),
            "gradient_norm": np.zeros((0, 0)),
        }
    return {
        "steps": np.concatenate([block.steps for block in blocks]),
        "loss": np.concatenate([block.loss for block in blocks]),
        "learning_rate": np.concatenate([block.learning_rate for block in blocks]),
        "gradient_norm": np.concatenate([block.values["gradient_norm"] for block in blocks]),
    }

"""Packing: what a capsule is made of while training runs."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import FORMAT, Capsule
from keras_l4.forensics.structure import described
from keras_l4.forensics.tape import BatchBuffer
from keras_l4.records.block import StepBlock


def pack(
    model: Any, tape: BatchBuffer, blocks: Sequence[StepBlock], event: Mapping[str, Any]
) -> Capsule:
    """The capsule of an event.

    Args:
        model: The model in training.
        tape: Its state some steps before the event, and the batches since then.
        blocks: What was recorded of these steps.
        event: `step` and `message`.

    Raises:
        TypeError, ValueError: A batch cannot be written down.
    """
    variables, state = keras_internals.state_variables(model), tape.state or {}
    about = {
        "format": FORMAT,
        "event": dict(event),
        "step": tape.step,
        "structures": [described(batch) for batch in tape.batches],
        "epochs_begin": tape.epochs_begin,
        # Metrics that were made since then come last.
        "variables": {k: [v.path for v in variables[k][: len(state[k])]] for k in state},
        "recorded": [v.path for v in blocks[-1].variables] if blocks else [],
        "backend": keras.backend.backend(),
        "dtype_policy": keras.config.dtype_policy().name,
        "floatx": keras.config.floatx(),
        "versions": _versions(),
        **_configuration(model),
    }
    return Capsule(about, state, tape.batches, _rows(blocks))


def _versions() -> dict[str, str]:
    packages = "keras", "keras_l4", "numpy", keras.backend.backend()
    return {"python": platform.python_version()} | {name: version(name) for name in packages}


def _configuration(model: Any) -> dict[str, Any]:
    """That of the model with its optimizer and loss, or why there is none."""
    try:
        with keras_internals.without_tensorflow(), keras_internals.readable(model):
            config = json.loads(model.to_json())
        if not isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
            # Keras does not write this argument of `compile` down, whose default is True.
            config["compile_config"]["auto_scale_loss"] = False
        return {"model": config}
    except Exception as error:  # Whatever a user's get_config raises.
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

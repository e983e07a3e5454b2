"""replay: replays a capsule and reports the origin of the first non-finite number."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.origin import (
    LayerNonFiniteCounts,
    Origin,
    find_origin,
    find_update_origin,
)
from keras_l4.forensics.remedies import ReplayContext
from keras_l4.forensics.reproducibility import Comparison, compare_with_recording
from keras_l4.forensics.step_replay import ReplayedStep, replay_steps
from keras_l4.forensics.what_if import Trial, format_table, run_trials

_MAX_LISTED_LAYERS = 4


@dataclass(frozen=True)
class Replay:
    """Result of replaying a capsule. `print` shows a report.

    Attributes:
        first_step: The first step that was replayed.
        step: The first step with a non-finite number; None if all steps stayed finite.
        origin: Origin of that number; None if it was not found.
        layers: How NaN and Inf spread through the layers in that step.
        comparison: Difference between the replayed steps and the recording.
        recorded_step: The step at which the recorded run detected a non-finite number.
        recorded_message: The message of the recorded run.
        trials: Results of the remedies, if `try_remedies=True`.
    """

    first_step: int
    step: int | None
    origin: Origin | None
    layers: Sequence[LayerNonFiniteCounts]
    comparison: Comparison
    recorded_step: int
    recorded_message: str
    trials: Sequence[Trial] = ()

    @property
    def is_reproduced(self) -> bool:
        """True if a step was not finite, and all steps up to it match the recording."""
        return self.step is not None and self.comparison.is_close

    def as_dict(self) -> dict[str, Any]:
        """Returns the result as JSON types: `step`, `phase`, `layer`, `operation`, `cause`, ..."""
        origin = asdict(self.origin) if self.origin else {}
        keys = ("phase", "layer", "operation", "cause")
        return {
            "step": self.step,
            **{key: origin.get(key, "") for key in keys},
            "is_reproduced": self.is_reproduced,
            "first_step": self.first_step,
            "recorded_step": self.recorded_step,
            "recorded_message": self.recorded_message,
            **asdict(self.comparison),
            "layers": [asdict(layer) for layer in self.layers],
            "trials": [asdict(trial) for trial in self.trials],
        }

    def __str__(self) -> str:
        last_step = self.step or self.recorded_step
        lines = [
            f"recorded    {self.recorded_message}",
            f"replayed    steps {self.first_step} to {last_step}; {self.comparison}",
            *self._origin_lines(),
        ]
        return "\n".join([*lines, *(["", format_table(self.trials)] if self.trials else [])])

    def _origin_lines(self) -> list[str]:
        if self.step is None:
            return ["Not reproduced: all numbers stayed finite."]
        if self.origin is None:
            return [f"Step {self.step} is not finite, but its origin was not found."]
        location = (self.origin.phase, self.origin.layer, self.origin.operation)
        path = " → ".join(filter(None, [f"step {self.step}", *location]))
        lines = [f"origin      {path}", f"cause       {self.origin.cause}"]
        forward = [layer.layer for layer in self.layers if layer.num_forward]
        backward = [layer.layer for layer in reversed(self.layers) if layer.num_backward]
        directions = {"forward": forward, "backward": backward}
        return lines + [
            f"{name:<12}{_list(layers)}" for name, layers in directions.items() if layers
        ]


def _list(layers: Sequence[str]) -> str:
    num_more = len(layers) - _MAX_LISTED_LAYERS
    more = f" and {num_more} more" if num_more > 0 else ""
    return f"NaN or Inf in {', '.join(layers[:_MAX_LISTED_LAYERS])}{more}"


def replay(
    capsule: str | os.PathLike[str], model: Any = None, try_remedies: bool = False
) -> Replay:
    """Replays a capsule and finds the origin of the first non-finite number.

    The recorded steps run until one of them is not finite. That step runs again, operation by
    operation. The variables of the model and the random state are restored afterwards.

    Args:
        capsule: The folder that `FlightRecorder` wrote.
        model: The model, compiled as in the recorded run. None restores it from the configuration
            in the capsule, for which custom classes must be registered.
        try_remedies: Whether to replay the steps once more with each remedy, such as a smaller
            learning rate, to see which remedy keeps all steps finite.

    Returns:
        A `Replay`. Print it for a report.

    Raises:
        FileNotFoundError: `capsule` is not a capsule.
        TypeError: `model` is not a Keras model.
        ValueError: The capsule is damaged, was recorded on another backend or with another model,
            or has no configuration.
    """
    recording = Capsule.load(capsule)
    model = _restore_model(recording) if model is None else model
    keras_internals.check_model(model)
    keras_internals.build_model(model, keras_internals.to_model_input(recording.batches[0][0]))
    state, rng_state = keras_internals.read_state(model), keras_internals.random_state()
    try:
        return _replay(recording, model, try_remedies)
    finally:
        keras_internals.write_state(model, state)
        keras_internals.set_random_state(rng_state)


def _replay(capsule: Capsule, model: Any, try_remedies: bool) -> Replay:
    steps: list[ReplayedStep] = []
    for step in replay_steps(model, capsule):
        steps.append(step)
        if not step.is_finite:
            break
    bad_step = None if steps[-1].is_finite else steps[-1]
    origin, layers = (None, []) if bad_step is None else _find_origin(model, bad_step)
    trials: Sequence[Trial] = ()
    if bad_step and try_remedies:
        layer = origin.layer if origin else ""
        trials = run_trials(ReplayContext(model, capsule, len(steps) - 1, layer))
    return Replay(
        first_step=capsule.metadata["step"] + 1,
        step=None if bad_step is None else bad_step.number,
        origin=origin,
        layers=layers,
        comparison=compare_with_recording(steps, capsule.rows),
        recorded_step=capsule.metadata["event"]["step"],
        recorded_message=capsule.metadata["event"]["message"],
        trials=trials,
    )


def _find_origin(
    model: Any, step: ReplayedStep
) -> tuple[Origin | None, Sequence[LayerNonFiniteCounts]]:
    keras_internals.write_state(model, step.before)
    keras_internals.set_random_state(step.rng_state)
    x, y, weight = keras.utils.unpack_x_y_sample_weight(keras_internals.to_model_input(step.batch))
    origin, result = find_origin(model, x, y, weight)
    origin = origin or find_update_origin(model, step.before, step.after, result.gradients)
    return origin, result.layers


def _restore_model(capsule: Capsule) -> Any:
    metadata = capsule.metadata
    if metadata["backend"] != keras.backend.backend():
        raise ValueError(
            f"The capsule was recorded with the Keras backend {metadata['backend']!r}, but the active "
            f"backend is {keras.backend.backend()!r}. Set KERAS_BACKEND={metadata['backend']}."
        )
    if metadata["model"] is None:
        raise ValueError(
            f"The capsule contains no configuration of the model ({metadata['model_error']}). Pass "
            "the model, compiled as in the recorded run: replay(capsule, model=...), or "
            "--module my_project:build."
        )
    try:
        with keras_internals.without_loading_tensorflow():
            return keras.models.model_from_json(json.dumps(metadata["model"]))
    except Exception as error:  # The `from_config` of a layer may raise anything.
        raise ValueError(
            f"The model cannot be restored from its configuration ({error}). Pass the model, compiled "
            "as in the recorded run: replay(capsule, model=...), or --module my_project:build."
        ) from error

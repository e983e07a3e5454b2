"""replay: where the first non-finite number of a run was born."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import keras

from keras_l4 import keras_internals
from keras_l4.forensics.capsule import Capsule
from keras_l4.forensics.likeness import Likeness, compared
from keras_l4.forensics.remedies import ReplayContext
from keras_l4.forensics.rerun import Rerun, rerun
from keras_l4.forensics.step_trace import LayerNumbers, Origin, birth
from keras_l4.forensics.trials import Trial, table, tried
from keras_l4.forensics.update_trace import update_birth

_SHOWN = 4  # Layers that are listed by name.


@dataclass(frozen=True)
class Replay:
    """What came out of running the steps of a capsule again.

    Attributes:
        first_step: The first step that was run again.
        step: The first step with a non-finite number; None where all stayed finite.
        birth: Where that came from; None where it could not be told.
        layers: How NaN and Inf went through the layers of that step.
        likeness: How the steps up to it compare with what was recorded of them.
        recorded_step: The step at which the run had found it.
        recorded: What the run had said.
        trials: What might have helped, where that was asked for.
    """

    first_step: int
    step: int | None
    birth: Origin | None
    layers: Sequence[LayerNumbers]
    likeness: Likeness
    recorded_step: int
    recorded: str
    trials: Sequence[Trial] = ()

    @property
    def reproduced(self) -> bool:
        """Whether it happened again, and no step up to it went otherwise than recorded."""
        return self.step is not None and self.likeness.is_close

    def as_dict(self) -> dict[str, Any]:
        """What JSON can hold: `step`, `phase`, `layer`, `operation`, `cause`, `reproduced`, ..."""
        born = asdict(self.birth) if self.birth else {}
        keys = ("phase", "layer", "operation", "cause")
        return {
            "step": self.step,
            **{key: born.get(key, "") for key in keys},
            "reproduced": self.reproduced,
            "first_step": self.first_step,
            "recorded_step": self.recorded_step,
            "recorded": self.recorded,
            **asdict(self.likeness),
            "layers": [asdict(layer) for layer in self.layers],
            "trials": [asdict(trial) for trial in self.trials],
        }

    def __str__(self) -> str:
        lines = [f"recorded    {self.recorded}", f"run again   {self._course}", *self._story]
        return "\n".join([*lines, *(["", table(self.trials)] if self.trials else [])])

    @property
    def _story(self) -> list[str]:
        if self.step is None:
            return ["not reproduced: every number stayed finite."]
        if self.birth is None:
            return [f"step {self.step}: not finite; where it began is not known."]
        place = " → ".join(filter(None, [self.birth.phase, self.birth.layer, self.birth.operation]))
        told = [f"born        step {self.step} → {place}", f"cause       {self.birth.cause}"]
        forward = [layer.layer for layer in self.layers if layer.num_forward]
        backward = [layer.layer for layer in reversed(self.layers) if layer.num_backward]
        ways = {"forward": forward, "backward": backward}
        return told + [f"{way:<12}{_listed(reached)}" for way, reached in ways.items() if reached]

    @property
    def _course(self) -> str:
        last = self.step or self.recorded_step
        return f"from step {self.first_step} to {last}; {self.likeness}"


def _listed(layers: Sequence[str]) -> str:
    more = f" and {len(layers) - _SHOWN} more" if len(layers) > _SHOWN else ""
    return f"through {', '.join(layers[:_SHOWN])}{more}"


def replay(
    capsule: str | os.PathLike[str], model: Any = None, try_remedies: bool = False
) -> Replay:
    """Runs the steps of a capsule again, and looks for the first non-finite number in them.

    The model's variables, and torch's random generators, are afterwards as they were before.

    Args:
        capsule: The folder that `FlightRecorder` wrote.
        model: The model, compiled as it was when it was trained; None makes it from the
            configuration in the capsule.
        try_remedies: Whether to run the steps again with one change each, and see what helps.

    Raises:
        FileNotFoundError: `capsule` is none.
        TypeError: `model` is no Keras model.
        ValueError: It is damaged, belongs to another model, or has no configuration.
    """
    held = Capsule.load(capsule)
    model = built(held) if model is None else model
    keras_internals.check_model(model)
    keras_internals.build_model(model, keras_internals.as_fed(held.batches[0][0]))
    state, draw = keras_internals.read_state(model), keras_internals.random_state()
    try:
        return _replayed(held, model, try_remedies)
    finally:
        keras_internals.write_state(model, state)
        keras_internals.set_random_state(draw)


def _replayed(held: Capsule, model: Any, try_remedies: bool) -> Replay:
    done: list[Rerun] = []
    for step in rerun(model, held):
        done.append(step)
        if not step.is_finite:
            break
    bad = None if done[-1].is_finite else done[-1]
    born, layers = (None, []) if bad is None else _birth(model, bad)
    named = born.layer if born else ""
    patient = ReplayContext(model, held, len(done) - 1, named) if bad and try_remedies else None
    return Replay(
        first_step=held.about["step"] + 1,
        step=None if bad is None else bad.number,
        birth=born,
        layers=layers,
        likeness=compared(done, held.rows),
        recorded_step=held.about["event"]["step"],
        recorded=held.about["event"]["message"],
        trials=tried(patient) if patient else (),
    )


def _birth(model: Any, step: Rerun) -> tuple[Origin | None, Sequence[LayerNumbers]]:
    keras_internals.write_state(model, step.before)
    keras_internals.set_random_state(step.draw)
    x, y, weight = keras.utils.unpack_x_y_sample_weight(keras_internals.as_fed(step.batch))
    born, outcome = birth(model, x, y, weight)
    born = born or update_birth(model, step.before, step.after, outcome.gradients)
    return born, outcome.layers


def built(capsule: Capsule) -> Any:
    """The model of a capsule, compiled.

    Raises:
        ValueError: The capsule has no configuration, or Keras cannot make the model from it.
    """
    about = capsule.about
    if about["backend"] != keras.backend.backend():
        raise ValueError(
            f"The capsule was made on {about['backend']}, and the active Keras backend is "
            f"{keras.backend.backend()}. Set KERAS_BACKEND={about['backend']}."
        )
    if about["model"] is None:
        raise ValueError(
            f"The capsule has no configuration of the model ({about['model_error']}). Pass the "
            "model, compiled as it was: replay(capsule, model=...), or --module my_project:build."
        )
    try:
        with keras_internals.without_tensorflow():
            return keras.models.model_from_json(json.dumps(about["model"]))
    except Exception as error:  # Whatever a layer's from_config raises.
        raise ValueError(
            f"The model cannot be made from its configuration ({error}). Pass it, compiled as it "
            "was: replay(capsule, model=...), or --module my_project:build."
        ) from error

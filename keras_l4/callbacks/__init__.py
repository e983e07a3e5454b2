"""Callbacks that record training, write it to TensorBoard and report problems.

Open `base.py` first: `RecordingCallback` translates the calls of Keras into those of a `Session`.
The other callbacks are presets of quantities and observers; `snapshotting.py` is the base of those
with a flight recorder, and `Curvature` measures with `curvature_scheduler.py`. To write your own,
subclass `RecordingCallback`.

Importing this package patches nothing: `Model.fit` is wrapped when a callback is created.
"""

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.callbacks.curvature import Curvature
from keras_l4.callbacks.effective_learning_rates import EffectiveLearningRates
from keras_l4.callbacks.flight_recorder import FlightRecorder
from keras_l4.callbacks.gradient_norms import GradientNorms
from keras_l4.callbacks.nonfinite_monitor import NonFiniteMonitor
from keras_l4.callbacks.training_diagnostics import TrainingDiagnostics

__all__ = [
    "Curvature",
    "EffectiveLearningRates",
    "FlightRecorder",
    "GradientNorms",
    "NonFiniteMonitor",
    "RecordingCallback",
    "TrainingDiagnostics",
]

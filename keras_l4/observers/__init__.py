"""Observers: what callbacks do with the recorded steps.

Open `base.py` first: an `Observer` receives each block of steps, adds to the `logs` of the epoch,
and reports when training ends. `ObserverContext` is all that it knows of its callback. Each other
file has one observer. To write your own, subclass `Observer` and pass it to the constructor of a
`keras_l4.callbacks.RecordingCallback`.

Observers must not import each other, `session` or `callbacks`.
"""

from keras_l4.observers.base import Observer, ObserverContext
from keras_l4.observers.findings import FindingsReport
from keras_l4.observers.gradient_norm import MeanGradientNorm
from keras_l4.observers.loss_scaling import LossScalingReport
from keras_l4.observers.nonfinite import NonFiniteReport
from keras_l4.observers.skipped_updates import SkippedUpdates
from keras_l4.observers.snapshots import FlightRecorderObserver

__all__ = [
    "FindingsReport",
    "FlightRecorderObserver",
    "LossScalingReport",
    "MeanGradientNorm",
    "NonFiniteReport",
    "Observer",
    "ObserverContext",
    "SkippedUpdates",
]

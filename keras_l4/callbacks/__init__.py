"""Callbacks that record what training does, log it to TensorBoard and say what is wrong."""

from keras_l4.backend import guard_fit
from keras_l4.callbacks.curvature import Curvature
from keras_l4.callbacks.effective_learning_rates import EffectiveLearningRates
from keras_l4.callbacks.flight_recorder import FlightRecorder
from keras_l4.callbacks.gradient_norms import GradientNorms
from keras_l4.callbacks.nonfinite_monitor import NonFiniteMonitor
from keras_l4.callbacks.training_diagnostics import TrainingDiagnostics
from keras_l4.callbacks.watch import Watch, watch

guard_fit()

__all__ = [
    "Curvature",
    "EffectiveLearningRates",
    "FlightRecorder",
    "GradientNorms",
    "NonFiniteMonitor",
    "TrainingDiagnostics",
    "Watch",
    "watch",
]

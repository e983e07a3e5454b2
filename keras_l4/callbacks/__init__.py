"""Callbacks that record what training does, log it to TensorBoard and say what is wrong."""

from keras_l4.callbacks.curvature import Curvature
from keras_l4.callbacks.effective_learning_rates import EffectiveLearningRates
from keras_l4.callbacks.flight_recorder import FlightRecorder
from keras_l4.callbacks.gradient_norms import GradientNorms
from keras_l4.callbacks.nonfinite_monitor import NonFiniteMonitor
from keras_l4.callbacks.training_diagnostics import TrainingDiagnostics
from keras_l4.keras_internals import guard_fit

guard_fit()

__all__ = [
    "Curvature",
    "EffectiveLearningRates",
    "FlightRecorder",
    "GradientNorms",
    "NonFiniteMonitor",
    "TrainingDiagnostics",
]

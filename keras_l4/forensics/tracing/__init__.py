"""Runs one training step operation by operation and logs where a non-finite number appears."""

import keras

from keras_l4.forensics.tracing.inputs import batch_arrays
from keras_l4.forensics.tracing.log import Node, OpLocation, StepTrace
from keras_l4.forensics.tracing.operands import OperandSample

if keras.backend.backend() == "tensorflow":
    from keras_l4.forensics.tracing.tensorflow import trace_step
elif keras.backend.backend() == "jax":
    from keras_l4.forensics.tracing.jax import trace_step
else:
    from keras_l4.forensics.tracing.torch import trace_step

__all__ = ["Node", "OpLocation", "OperandSample", "StepTrace", "batch_arrays", "trace_step"]

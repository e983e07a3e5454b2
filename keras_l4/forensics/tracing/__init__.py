"""Runs one training step operation by operation and logs where non-finite numbers appear.

`trace_step(model, batch)` is the entry point; there is one implementation per backend. Open `log.py`
first: it defines the result, a graph of the non-finite operations. `tensorflow.py`, `jax.py`
(with `jaxpr.py`) and `torch.py` feed that log.

Only `keras_l4.replay` needs this package. It uses debugging internals of the frameworks, so `fit` must
not import it: neither `callbacks` nor anything below it may.
"""

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

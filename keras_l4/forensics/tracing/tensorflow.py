"""TensorFlow: an op callback receives each operation as it runs eagerly, forward and backward."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from keras_l4 import keras_internals
from keras_l4.forensics.tracing.forward_pass import compute_losses, loss_scale_factor, to_tensors
from keras_l4.forensics.tracing.inputs import Batch, log_inputs
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, Phase, StepTrace, Value
from keras_l4.keras_internals.tensorflow_gradients import scope_gradient_functions

Tensor: TypeAlias = Any
Layer: TypeAlias = Any

_SCOPE_PREFIX = "keras_l4_"


def trace_step(model: Any, batch: Batch) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled and built model. Layers may assign to its variables.
        batch: The batch.
    """
    log = NonFiniteOpLog()
    callback = _OpCallback(log)
    batch = to_tensors(batch)
    log_inputs(log, model, batch, _to_value, _variable_to_value)
    with (
        _run_functions_eagerly(),
        scope_gradient_functions(callback.scope_derivative),
        keras_internals.scope_layer_calls(callback.scope_layer),
        _registered(callback),
    ):
        with tf.GradientTape() as tape:
            outputs = keras_internals.call_model(model, batch[0], training=True)
            callback.phase = "loss"
            loss, scaled_loss = compute_losses(model, batch, outputs)
        callback.phase = "backward"
        gradients = tape.gradient(scaled_loss, [v.value for v in model.trainable_variables])
    new_state = [_variable_to_value(variable) for variable in model.non_trainable_variables]
    results = [scaled_loss, *(_dense_part(g) for g in gradients if g is not None)]
    return StepTrace(
        nodes=tuple(log.nodes),
        loss=float(loss),
        gradients=[_to_numpy(gradient) for gradient in gradients],
        loss_scale=loss_scale_factor(model.optimizer),
        loss_producers=log.producers([_to_value(loss)]) + log.producing_operations(new_state),
        gradient_producers=log.producers([*map(_to_value, results)]),
    )


class _OpCallback:
    """Adds each operation to the log.

    Attributes:
        phase: Part of the step that runs now.
    """

    def __init__(self, log: NonFiniteOpLog) -> None:
        self.phase: Phase = "forward"
        self._log = log
        self._layers: list[Layer] = []
        # The operation whose derivative is computed now, and the name scope in which it ran.
        self._differentiated, self._differentiated_scope = "", ""

    def scope_layer(self, layer: Layer) -> AbstractContextManager[Any]:
        """Returns a name scope that contains the number of this call.

        TensorFlow records name scopes for the derivatives: that is how these find their layer.
        """
        self._layers.append(layer)
        return tf.name_scope(f"{_SCOPE_PREFIX}{len(self._layers) - 1}")

    @contextlib.contextmanager
    def scope_derivative(self, operation: str, name_scope: str) -> Iterator[None]:
        """Attributes the operations inside to the derivative of `operation`."""
        previous = self._differentiated, self._differentiated_scope
        self._differentiated, self._differentiated_scope = operation, name_scope
        try:
            yield
        finally:
            self._differentiated, self._differentiated_scope = previous

    def __call__(
        self,
        op_type: str | bytes,
        inputs: Sequence[Tensor],
        attrs: Any,
        outputs: Sequence[Tensor],
        op_name: str | None = None,
        graph: Any = None,
    ) -> None:
        if graph is not None:
            # The operation is only added to a graph; the compiled graph arrives as one operation.
            return
        name, output_values = tf.compat.as_str(op_type), [_to_value(tensor) for tensor in outputs]
        if name == "AssignVariableOp":
            # It has no outputs; its result is the variable, which its handle identifies.
            handle, assigned = inputs
            output_values = [_to_value(assigned)._replace(key=id(handle), keep_alive=handle)]
        if not all(value.is_finite for value in output_values):
            input_values = [_to_value(tensor) for tensor in inputs]
            self._log.add_operation(
                name, self._location(), input_values, output_values, self._differentiated
            )

    def _location(self) -> OpLocation:
        is_backward = self.phase == "backward"
        scope = self._differentiated_scope if is_backward else tf.get_current_name_scope()
        calls = re.findall(_SCOPE_PREFIX + r"(\d+)", scope)
        layer = keras_internals.layer_path(self._layers[int(calls[-1])]) if calls else ""
        return OpLocation(self.phase, layer)


@contextlib.contextmanager
def _run_functions_eagerly() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _registered(callback: _OpCallback) -> Iterator[None]:
    # The public `tf.debugging.enable_check_numerics` raises at the first NaN, even if a mask
    # removes that NaN again.
    op_callbacks.add_op_callback(callback)
    try:
        yield
    finally:
        op_callbacks.remove_op_callback(callback)


def _to_value(tensor: Tensor) -> Value:
    if isinstance(tensor, tf.SparseTensor | tf.RaggedTensor):
        return _to_value(tensor.values)
    dtype = tensor.dtype
    if not (dtype.is_floating or dtype.is_complex):
        return Value(id(tensor), None, dtype.name, tensor)
    return Value(id(tensor), _widen(tensor.numpy()), dtype.name, tensor)


def _variable_to_value(variable: Any) -> Value:
    handle = variable.value.handle
    value = _to_value(tf.convert_to_tensor(variable.value))
    return value._replace(key=id(handle), keep_alive=handle)


def _dense_part(gradient: Tensor) -> Tensor:
    return gradient.values if isinstance(gradient, tf.IndexedSlices) else gradient


def _to_numpy(gradient: Tensor | None) -> np.ndarray | None:
    return None if gradient is None else _widen(tf.convert_to_tensor(gradient).numpy())


def _widen(array: Any) -> np.ndarray:
    # NumPy has no bfloat16: such an array has the dtype kind "V" (raw bytes).
    numbers = np.asarray(array)
    return numbers.astype(np.float32) if numbers.dtype.kind == "V" else numbers

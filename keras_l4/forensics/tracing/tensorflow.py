"""TensorFlow: a callback sees each operation as it is run, forward and backward."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import op_callbacks

from keras_l4.forensics.tracing.forward_pass import called, losses, tensors
from keras_l4.forensics.tracing.inputs import enter_sources, loss_factor
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, StepTrace, Value
from keras_l4.forensics.tracing.tensorflow_gradients import Differentiated, named_gradients
from keras_l4.keras_internals.layer_calls import around_layers, layer_path

_MARK = "keras_l4_"


class _Watch:
    """Enters each operation into the journal."""

    def __init__(self, journal: NonFiniteOpLog, differentiated: Differentiated) -> None:
        self._journal = journal
        self._differentiated = differentiated
        self._layers: list[Any] = []
        self.phase: Literal["forward", "loss", "backward"] = "forward"

    def scope(self, layer: Any) -> Any:
        """A scope with the number of the call for a name, which its derivatives are told."""
        self._layers.append(layer)
        return tf.name_scope(f"{_MARK}{len(self._layers) - 1}")

    def __call__(
        self,
        op_type: str | bytes,
        inputs: Sequence[Any],
        attrs: Any,
        outputs: Sequence[Any],
        op_name: str | None = None,
        graph: Any = None,
    ) -> None:
        if graph is not None:
            # What is compiled is one operation, when it is run.
            return
        name, given = tf.compat.as_str(op_type), [_value(tensor) for tensor in outputs]
        if name == "AssignVariableOp":
            variable, assigned = inputs
            given = [_value(assigned)._replace(key=id(variable), holder=variable)]
        if not all(value.is_finite for value in given):
            taken = [_value(tensor) for tensor in inputs]
            function = self._differentiated.name
            self._journal.operation(name, self._place(), taken, given, function)

    def _place(self) -> OpLocation:
        derives = self.phase == "backward"
        scope = self._differentiated.scope if derives else tf.get_current_name_scope()
        numbers = re.findall(_MARK + r"(\d+)", scope)
        return OpLocation(self.phase, layer_path(self._layers[int(numbers[-1])]) if numbers else "")


def trace_step(model: Any, x: Any, y: Any, sample_weight: Any) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled model. What the step assigns to its variables stays assigned.
        x: The inputs.
        y: The targets.
        sample_weight: The sample weights.
    """
    journal, differentiated = NonFiniteOpLog(), Differentiated()
    watch = _Watch(journal, differentiated)
    batch = tensors((x, y, sample_weight))
    enter_sources(journal, model, batch, _value, _variable_value)
    with _eagerly(), named_gradients(differentiated), around_layers(watch.scope), _seen_by(watch):
        with tf.GradientTape() as tape:
            outputs = called(model, batch[0])
            watch.phase = "loss"
            loss, scaled = losses(model, batch, outputs)
        watch.phase = "backward"
        gradients = tape.gradient(scaled, [v.value for v in model.trainable_variables])
    reached = [_value(part) for gradient in gradients for part in _parts(gradient)]
    state = [_variable_value(variable) for variable in model.non_trainable_variables]
    return StepTrace(
        nodes=tuple(journal.nodes),
        loss=float(loss),
        gradients=[_to_numpy(gradient) for gradient in gradients],
        loss_scale=loss_factor(model.optimizer),
        loss_origins=journal.origins([_value(loss)]) + journal.changed(state),
        gradient_origins=journal.origins([_value(scaled), *reached]),
    )


@contextlib.contextmanager
def _eagerly() -> Iterator[None]:
    before = tf.config.functions_run_eagerly()
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(before)


@contextlib.contextmanager
def _seen_by(watch: _Watch) -> Iterator[None]:
    # The public form of it, `enable_check_numerics`, raises at the first NaN, also at one that
    # goes nowhere.
    op_callbacks.add_op_callback(watch)
    try:
        yield
    finally:
        op_callbacks.remove_op_callback(watch)


def _value(tensor: Any) -> Value:
    if isinstance(tensor, tf.SparseTensor | tf.RaggedTensor):
        return _value(tensor.values)
    dtype = tensor.dtype
    if not (dtype.is_floating or dtype.is_complex):
        return Value(id(tensor), None, dtype.name, tensor)
    return Value(id(tensor), _wide(tensor.numpy()), dtype.name, tensor)


def _variable_value(variable: Any) -> Value:
    handle = variable.value.handle
    return _value(tf.convert_to_tensor(variable.value))._replace(key=id(handle), holder=handle)


def _parts(gradient: Any) -> list[Any]:
    if gradient is None:
        return []
    return [gradient.values] if isinstance(gradient, tf.IndexedSlices) else [gradient]


def _to_numpy(gradient: Any) -> np.ndarray | None:
    return None if gradient is None else _wide(tf.convert_to_tensor(gradient).numpy())


def _wide(array: Any) -> np.ndarray:
    # To NumPy, bfloat16 is no kind of number.
    numbers = np.asarray(array)
    return numbers.astype(np.float32) if numbers.dtype.kind == "V" else numbers

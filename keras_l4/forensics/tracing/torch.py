"""torch: a dispatch mode receives each operation as it runs, forward and backward."""

from __future__ import annotations

import bisect
import contextlib
import re
from collections.abc import Iterator
from typing import Any, TypeAlias

import keras
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from keras_l4 import keras_internals
from keras_l4.forensics.tracing.forward_pass import compute_losses, loss_scale_factor, to_tensors
from keras_l4.forensics.tracing.inputs import Batch, log_inputs
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, Phase, StepTrace, Value

Layer: TypeAlias = Any


def trace_step(model: Any, batch: Batch) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled and built model. Layers may assign to its variables.
        batch: The batch.
    """
    log, calls = NonFiniteOpLog(), _LayerCalls()
    batch = to_tensors(batch)
    log_inputs(log, model, batch, _to_value, _variable_to_value)
    mode = _LoggingMode(log, calls)
    with torch.enable_grad(), keras_internals.scope_layer_calls(calls.scope), mode:
        outputs = keras_internals.call_model(model, batch[0], training=True)
        mode.phase = "loss"
        loss, scaled_loss = _compute_losses(model, batch, outputs)
        gradients = _gradients(scaled_loss, [v.value for v in model.trainable_variables])
    new_state = [_variable_to_value(variable) for variable in model.non_trainable_variables]
    results = [scaled_loss, *(gradient for gradient in gradients if gradient is not None)]
    return StepTrace(
        nodes=tuple(log.nodes),
        loss=float(loss.detach()),
        gradients=[None if g is None else _to_value(g).array for g in gradients],
        loss_scale=loss_scale_factor(model.optimizer),
        loss_producers=log.producers([_to_value(loss)]) + log.producing_operations(new_state),
        gradient_producers=log.producers([*map(_to_value, results)]),
    )


def _compute_losses(model: Any, batch: Batch, outputs: Any) -> tuple[Any, Any]:
    try:
        return compute_losses(model, batch, outputs)
    except RuntimeError as error:
        if not keras_internals.nonfinite_message(error):
            raise
        # torch's binary cross-entropy raises at NaN. A sum over its arguments replaces the loss:
        # it is not finite either, and depends on the same operations.
        leaves = [leaf for leaf in keras.tree.flatten((outputs, *batch[1:])) if leaf is not None]
        loss = torch.stack([leaf.float().sum() for leaf in leaves]).sum()
        return loss, loss


def _gradients(loss: torch.Tensor, variables: list[Any]) -> list[torch.Tensor | None]:
    if not variables:
        return []
    return list(torch.autograd.grad(loss, variables, allow_unused=True))


class _LayerCalls:
    """The layer that is called now, and the one that was called when an autograd node was made.

    Autograd nodes are numbered in the order in which they are made. Each begin and end of a call
    is recorded with the next number.
    """

    def __init__(self) -> None:
        self._call_stack = [""]
        self._first_nodes: list[int] = [0]
        self._layers = [""]

    @contextlib.contextmanager
    def scope(self, layer: Layer) -> Iterator[None]:
        """The context of a call of `layer`."""
        self._call_stack.append(keras_internals.layer_path(layer))
        self._record()
        try:
            yield
        finally:
            self._call_stack.pop()
            self._record()

    def current(self) -> str:
        """Returns the path of the innermost layer that is called now."""
        return self._call_stack[-1]

    def at_node(self, number: int) -> str:
        """Returns the path of the layer whose call made the autograd node with this number."""
        return self._layers[bisect.bisect_right(self._first_nodes, number) - 1]

    def _record(self) -> None:
        # The number of the next node; torch has no public function for it.
        self._first_nodes.append(torch._C._autograd._get_sequence_nr())
        self._layers.append(self._call_stack[-1])


class _LoggingMode(TorchDispatchMode):
    """Adds each operation to the log.

    Attributes:
        phase: Part of the forward pass that runs now; the backward pass is recognized by itself.
    """

    def __init__(self, log: NonFiniteOpLog, calls: _LayerCalls) -> None:
        super().__init__()
        self.phase: Phase = "forward"
        self._log = log
        self._calls = calls

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = keras.tree.flatten((args, kwargs or {}))
        is_in_place = func._schema.is_mutable
        # An operation in place overwrites its input: convert it before.
        inputs_before = _to_values(leaves) if is_in_place else []
        outputs = func(*args, **(kwargs or {}))
        output_values = _to_values(keras.tree.flatten(outputs))
        if not all(value.is_finite for value in output_values):
            inputs = inputs_before or _to_values(leaves)
            output_keys, input_keys = (
                {v.key for v in values} for values in (output_values, inputs)
            )
            # Otherwise the output is a view of an input, which computes nothing.
            if is_in_place or not output_keys <= input_keys:
                self._log_operation(func.overloadpacket.__name__, inputs, output_values)
        return outputs

    def _log_operation(self, name: str, inputs: list[Value], outputs: list[Value]) -> None:
        # The autograd node that the backward pass evaluates now; torch has no public function for it.
        node = torch._C._current_autograd_node()
        if node is None:
            location, differentiated = OpLocation(self.phase, self._calls.current()), ""
        else:
            location = OpLocation("backward", self._calls.at_node(node._sequence_nr()))
            differentiated = re.sub(r"Backward\d*$", "", node.name())
        self._log.add_operation(name, location, inputs, outputs, differentiated)


def _to_values(leaves: list[Any]) -> list[Value]:
    tensors = [_to_value(x) for x in leaves if isinstance(x, torch.Tensor)]
    return tensors + [Value(None, np.asarray(x), "float64") for x in leaves if isinstance(x, float)]


def _to_value(tensor: torch.Tensor) -> Value:
    detached, dtype = tensor.detach(), str(tensor.dtype).removeprefix("torch.")
    is_dense = detached.layout == torch.strided
    # Views of the same memory get the same key.
    key = detached.untyped_storage().data_ptr() if is_dense else id(tensor)
    if not is_dense or not (detached.is_floating_point() or detached.is_complex()):
        return Value(key, None, dtype, detached)
    # NumPy has no bfloat16.
    wide = detached.float() if detached.dtype == torch.bfloat16 else detached
    return Value(key, np.array(wide.cpu()), dtype, detached)


def _variable_to_value(variable: Any) -> Value:
    return _to_value(variable.value)

"""torch: a dispatch mode sees each operation as it is run, forward and backward."""

from __future__ import annotations

import bisect
import contextlib
import re
from collections.abc import Iterator
from typing import Any, Literal

import keras
import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from keras_l4.forensics.tracing.forward_pass import called, losses, tensors
from keras_l4.forensics.tracing.inputs import enter_sources, loss_factor
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, StepTrace, Value
from keras_l4.keras_internals.errors import words_of
from keras_l4.keras_internals.layer_calls import around_layers, layer_path


class _Layers:
    """Which layer is called, and which was when a node of the backward pass was made."""

    def __init__(self) -> None:
        self._called = [""]
        self._since: list[int] = [0]
        self._layers = [""]

    @contextlib.contextmanager
    def scope(self, layer: Any) -> Iterator[None]:
        """The call of a layer."""
        self._called.append(layer_path(layer))
        self._turn()
        try:
            yield
        finally:
            self._called.pop()
            self._turn()

    def called(self) -> str:
        """The layer that is called now."""
        return self._called[-1]

    def made(self, number: int) -> str:
        """The layer that was called when the node with this number was made."""
        return self._layers[bisect.bisect_right(self._since, number) - 1]

    def _turn(self) -> None:
        # Nodes are numbered in the order in which they are made; there is no public name for it.
        self._since.append(torch._C._autograd._get_sequence_nr())
        self._layers.append(self._called[-1])


class _Watch(TorchDispatchMode):
    """Enters each operation into the journal."""

    def __init__(self, journal: NonFiniteOpLog, layers: _Layers) -> None:
        super().__init__()
        self._journal = journal
        self._layers = layers
        self.phase: Literal["forward", "loss", "backward"] = "forward"

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        taken = keras.tree.flatten((args, kwargs or {}))
        mutates = func._schema.is_mutable
        # What is written in place is no longer there afterwards.
        before = _values(taken) if mutates else []
        outputs = func(*args, **(kwargs or {}))
        given = _values(keras.tree.flatten(outputs))
        if not all(value.is_finite for value in given):
            inputs = before or _values(taken)
            # A view is no operation.
            if mutates or not {value.key for value in given} <= {value.key for value in inputs}:
                self._enter(func.overloadpacket.__name__, inputs, given)
        return outputs

    def _enter(self, name: str, inputs: list[Value], outputs: list[Value]) -> None:
        # The node of the backward pass that is run has no public name.
        node = torch._C._current_autograd_node()
        if node is None:
            place, function = OpLocation(self.phase, self._layers.called()), ""
        else:
            place = OpLocation("backward", self._layers.made(node._sequence_nr()))
            function = re.sub(r"Backward\d*$", "", node.name())
        self._journal.operation(name, place, inputs, outputs, function)


def _values(leaves: list[Any]) -> list[Value]:
    tensors = [_value(x) for x in leaves if isinstance(x, torch.Tensor)]
    return tensors + [Value(None, np.asarray(x), "float64") for x in leaves if isinstance(x, float)]


def _value(tensor: torch.Tensor) -> Value:
    # Tensors that share memory hold the same numbers.
    held, dtype = tensor.detach(), str(tensor.dtype).removeprefix("torch.")
    key = held.untyped_storage().data_ptr() if held.layout == torch.strided else id(tensor)
    if held.layout != torch.strided or not (held.is_floating_point() or held.is_complex()):
        return Value(key, None, dtype, held)
    # NumPy has no bfloat16.
    wide = held.float() if held.dtype == torch.bfloat16 else held
    return Value(key, np.array(wide.cpu()), dtype, held)


def trace_step(model: Any, x: Any, y: Any, sample_weight: Any) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled model. What the step assigns to its variables stays assigned.
        x: The inputs.
        y: The targets.
        sample_weight: The sample weights.
    """
    journal, layers = NonFiniteOpLog(), _Layers()
    batch = tensors((x, y, sample_weight))
    enter_sources(journal, model, batch, _value, _variable_value)
    watch = _Watch(journal, layers)
    with torch.enable_grad(), around_layers(layers.scope), watch:
        outputs = called(model, batch[0])
        watch.phase = "loss"
        loss, scaled = _losses(model, batch, outputs)
        gradients = _gradients(scaled, [v.value for v in model.trainable_variables])
    reached = [_value(gradient) for gradient in gradients if gradient is not None]
    state = [_variable_value(variable) for variable in model.non_trainable_variables]
    return StepTrace(
        nodes=tuple(journal.nodes),
        loss=float(loss.detach()),
        gradients=[None if g is None else _value(g).array for g in gradients],
        loss_scale=loss_factor(model.optimizer),
        loss_origins=journal.origins([_value(loss)]) + journal.changed(state),
        gradient_origins=journal.origins([_value(scaled), *reached]),
    )


def _losses(model: Any, batch: tuple[Any, Any, Any], outputs: Any) -> tuple[Any, Any]:
    try:
        return losses(model, batch, outputs)
    except RuntimeError as error:
        if not words_of(error):
            raise
        # What the loss would be made of stands for it: a sum is as little finite as its parts.
        parts = [leaf for leaf in keras.tree.flatten((outputs, *batch[1:])) if leaf is not None]
        loss = torch.stack([part.float().sum() for part in parts]).sum()
        return loss, loss


def _variable_value(variable: Any) -> Value:
    return _value(variable.value)


def _gradients(loss: Any, variables: list[Any]) -> list[Any]:
    if not variables:
        return []
    return list(torch.autograd.grad(loss, variables, allow_unused=True))

"""JAX: the step is written down as equations, and these are solved one by one."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from keras_l4.forensics.tracing.inputs import enter_sources, loss_factor
from keras_l4.forensics.tracing.jaxpr import Equations, TracedArray, value
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, StepTrace
from keras_l4.keras_internals.layer_calls import around_call, around_layers, layer_path

_MARK = "keras_l4."


class _Layers:
    """Gives each layer a scope while the step is written down, and reads the scopes again."""

    def __init__(self, model: Any) -> None:
        self._layers = [model]

    def scope(self, layer: Any) -> Any:
        """A scope with the number of the layer for a name, which no layer of a user has."""
        if not any(layer is known for known in self._layers):
            self._layers.append(layer)
        number = next(i for i, known in enumerate(self._layers) if known is layer)
        return jax.named_scope(f"{_MARK}{number}")

    def place(self, scopes: str) -> OpLocation:
        """Where the equation under these scopes stood; JAX writes how it was transformed."""
        numbers = [int(n) for n in re.findall(re.escape(_MARK) + r"(\d+)", scopes)]
        layer = layer_path(self._layers[numbers[-1]]) if numbers else ""
        if "transpose(" in scopes:
            return OpLocation("backward", layer)
        return OpLocation("forward" if 0 in numbers else "loss", layer)


def trace_step(model: Any, x: Any, y: Any, sample_weight: Any) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled model, whose variables stay as they are.
        x: The inputs.
        y: The targets.
        sample_weight: The sample weights.
    """
    # These would stop at the first NaN, also at one that goes nowhere.
    with jax.debug_nans(False), jax.debug_infs(False):
        return _traced(model, jax.tree.map(jnp.asarray, (x, y, sample_weight)))


def _traced(model: Any, batch: tuple[Any, Any, Any]) -> StepTrace:
    journal, layers = NonFiniteOpLog(), _Layers(model)
    trainable = [v.value for v in model.trainable_variables]
    rest = [v.value for v in model.non_trainable_variables]
    with around_layers(layers.scope), around_call(model, layers.scope):
        program, shapes = _step(model)(trainable, rest, *batch)
    enter_sources(journal, model, batch, value, lambda variable: value(variable.value))
    arguments = [TracedArray(leaf) for leaf in jax.tree.leaves((trainable, rest, *batch))]
    solved = Equations(journal, layers.place).solve(program, arguments)
    arrays = [held.array for held in solved]
    return _trace(journal, model, jax.tree.unflatten(jax.tree.structure(shapes), arrays))


def _step(model: Any) -> Any:
    """What the trainer differentiates, with its gradients, as a function to equations."""
    metrics = [v.value for v in model.metrics_variables]
    optimizer = [v.value for v in model.optimizer.variables] if model.optimizer else []

    def loss(trainable: Any, rest: Any, *batch: Any) -> Any:
        return model.compute_loss_and_updates(
            trainable, rest, metrics, *batch, training=True, optimizer_variables=optimizer
        )

    return jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True), return_shape=True)


def _trace(journal: NonFiniteOpLog, model: Any, results: Any) -> StepTrace:
    (scaled, (loss, _, state, _)), gradients = results
    return StepTrace(
        nodes=tuple(journal.nodes),
        loss=float(loss),
        gradients=[np.array(value(gradient).array) for gradient in gradients],
        loss_scale=loss_factor(model.optimizer),
        loss_origins=journal.origins([value(loss)]) + journal.changed([*map(value, state)]),
        gradient_origins=journal.origins([value(g) for g in (scaled, *gradients)]),
    )

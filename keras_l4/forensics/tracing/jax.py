"""JAX: the step is traced to a jaxpr, whose equations are then evaluated one by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from keras_l4 import keras_internals
from keras_l4.forensics.tracing.forward_pass import loss_scale_factor
from keras_l4.forensics.tracing.inputs import Batch, log_inputs
from keras_l4.forensics.tracing.jaxpr import JaxprInterpreter, TracedArray, to_value
from keras_l4.forensics.tracing.log import NonFiniteOpLog, OpLocation, StepTrace

Layer: TypeAlias = Any

_SCOPE_PREFIX = "keras_l4."


def trace_step(model: Any, batch: Batch) -> StepTrace:
    """Runs one training step up to its gradients, operation by operation.

    Args:
        model: A compiled and built model. Its variables do not change.
        batch: The batch.
    """
    # With these options JAX would raise at the first NaN, even if a mask removes that NaN again.
    with jax.debug_nans(False), jax.debug_infs(False):
        return _trace_step(model, jax.tree.map(jnp.asarray, batch))


def _trace_step(model: Any, batch: Batch) -> StepTrace:
    log, scopes = NonFiniteOpLog(), _LayerScopes(model)
    trainable = [v.value for v in model.trainable_variables]
    non_trainable = [v.value for v in model.non_trainable_variables]
    with (
        keras_internals.scope_layer_calls(scopes.scope),
        keras_internals.scope_model_call(model, scopes.scope),
    ):
        jaxpr, result_shapes = _traceable_step(model)(trainable, non_trainable, *batch)
    log_inputs(log, model, batch, to_value, lambda variable: to_value(variable.value))
    arguments = [TracedArray(x) for x in jax.tree.leaves((trainable, non_trainable, *batch))]
    results = JaxprInterpreter(log, scopes.location).run(jaxpr, arguments)
    arrays = [traced.array for traced in results]
    return _step_trace(log, model, jax.tree.unflatten(jax.tree.structure(result_shapes), arrays))


def _traceable_step(model: Any) -> Callable[..., Any]:
    """Returns a function to the jaxpr of the trainer's loss and gradients, and their structure."""
    metrics = [v.value for v in model.metrics_variables]
    optimizer = [v.value for v in model.optimizer.variables] if model.optimizer else []

    def loss(trainable: Any, non_trainable: Any, *batch: Any) -> Any:
        return model.compute_loss_and_updates(
            trainable, non_trainable, metrics, *batch, training=True, optimizer_variables=optimizer
        )

    return jax.make_jaxpr(jax.value_and_grad(loss, has_aux=True), return_shape=True)


def _step_trace(log: NonFiniteOpLog, model: Any, results: Any) -> StepTrace:
    (scaled_loss, (loss, _, new_state, _)), gradients = results
    return StepTrace(
        nodes=tuple(log.nodes),
        loss=float(loss),
        gradients=[np.array(to_value(gradient).array) for gradient in gradients],
        loss_scale=loss_scale_factor(model.optimizer),
        loss_producers=log.producers([to_value(loss)])
        + log.producing_operations([*map(to_value, new_state)]),
        gradient_producers=log.producers([to_value(x) for x in (scaled_loss, *gradients)]),
    )


class _LayerScopes:
    """Gives each layer a name scope during tracing, and finds the layer of an equation by it."""

    def __init__(self, model: Any) -> None:
        self._layers = [model]

    def scope(self, layer: Layer) -> AbstractContextManager[Any]:
        """Returns a name scope that contains the number of the layer."""
        if not any(layer is other for other in self._layers):
            self._layers.append(layer)
        number = next(i for i, other in enumerate(self._layers) if other is layer)
        return jax.named_scope(f"{_SCOPE_PREFIX}{number}")

    def location(self, name_stack: str) -> OpLocation:
        """Returns the location of an equation from its name stack.

        JAX writes transformations into the name stack: "transpose(...)" is the backward pass.
        """
        numbers = [int(n) for n in re.findall(re.escape(_SCOPE_PREFIX) + r"(\d+)", name_stack)]
        layer = keras_internals.layer_path(self._layers[numbers[-1]]) if numbers else ""
        if "transpose(" in name_stack:
            return OpLocation("backward", layer)
        # Number 0 is the model: outside of its call, the loss is computed.
        return OpLocation("forward" if 0 in numbers else "loss", layer)

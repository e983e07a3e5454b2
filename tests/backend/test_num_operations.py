"""Number of operations that recording adds to a step per variable: the cost of small variables."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from keras_l4 import backend
from keras_l4.optimizers import instrument
from keras_l4.recorder.config import RecorderConfig

BACKEND = keras.backend.backend()
FEW, MANY = 10, 30
SHAPE = (4, 3)


def _optimizer(num: int, recorded: bool, xla: bool = False, same_shape: bool = True) -> Any:
    """Returns Adam, built for variables of one shape, or of a different size each."""
    shapes = [SHAPE if same_shape else (i + 1,) for i in range(num)]
    variables = [keras.Variable(np.ones(shape), dtype="float32", name="w") for shape in shapes]
    optimizer = keras.optimizers.Adam()
    optimizer.build(variables)
    if recorded:
        instrument(optimizer, RecorderConfig(every=2, xla=xla))
    return optimizer


def _gradients(optimizer: Any) -> list[Any]:
    return [ops.ones(v.shape) for v in optimizer._trainable_variables]


def _num_graph_nodes(num: int, recorded: bool) -> int:
    import tensorflow as tf

    optimizer = _optimizer(num, recorded)
    step = tf.function(optimizer.apply)
    graph = step.get_concrete_function(_gradients(optimizer)).graph.as_graph_def()
    return len(graph.node) + sum(len(f.node_def) for f in graph.library.function)


def _num_hlo_instructions(num: int, recorded: bool) -> int:
    return _xla_program(_optimizer(num, recorded, xla=True)).count(" = ")


def _xla_program(optimizer: Any) -> str:
    import tensorflow as tf

    step = tf.function(lambda gradients: optimizer.apply(gradients), jit_compile=True)
    return step.experimental_get_compiler_ir(_gradients(optimizer))(stage="hlo")


def _num_equations(num: int, recorded: bool) -> int:
    return len(_equations(_jaxpr(_optimizer(num, recorded), recorded)))


def _num_reductions(num: int, recorded: bool) -> int:
    if BACKEND == "tensorflow":
        return _xla_program(_optimizer(num, recorded, xla=True, same_shape=False)).count(" reduce(")
    equations = _equations(_jaxpr(_optimizer(num, recorded, same_shape=False), recorded))
    return sum(equation.primitive.name.startswith("reduce") for equation in equations)


def _jaxpr(optimizer: Any, recorded: bool) -> Any:
    import jax

    weights = [v.value for v in optimizer._trainable_variables]
    with backend.step_state.expose_in_optimizer_variables(
        optimizer.recorder.rings if recorded else []
    ):
        arguments = [
            [v.value for v in optimizer.variables],
            [ops.ones_like(w) for w in weights],
            weights,
        ]
        return jax.make_jaxpr(optimizer.stateless_apply)(*arguments).jaxpr


def _equations(jaxpr: Any) -> list[Any]:
    from jax.extend.core import jaxprs_in_params

    nested = [part for equation in jaxpr.eqns for part in jaxprs_in_params(equation.params)]
    return [*jaxpr.eqns, *(equation for part in nested for equation in _equations(part))]


def _num_dispatched_calls(num: int, recorded: bool) -> int:
    from torch.utils._python_dispatch import TorchDispatchMode

    class Count(TorchDispatchMode):
        calls = 0

        def __torch_dispatch__(self, function: Any, types: Any, *rest: Any) -> Any:
            self.calls += 1
            args, kwargs = rest if len(rest) == 2 else (*rest, {})
            return function(*args, **kwargs)

    optimizer = _optimizer(num, recorded)
    gradients = _gradients(optimizer)
    for _ in range(2):
        optimizer.apply(gradients)
    with Count() as count:
        optimizer.apply(gradients)
    return count.calls


def _added_per_variable(count: Callable[[int, bool], int]) -> float:
    """Returns what recording adds to the count per variable, compared with stock Keras."""
    added = [count(num, True) - count(num, False) for num in (FEW, MANY)]
    return (added[1] - added[0]) / (MANY - FEW)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts nodes of TensorFlow's graph")
def test_few_graph_nodes_are_added_per_variable() -> None:
    # 151 when each variable is traced by itself.
    assert _added_per_variable(_num_graph_nodes) < 25


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts HLO instructions")
def test_few_hlo_instructions_are_added_per_variable() -> None:
    # 341 when each variable is measured by itself.
    assert _added_per_variable(_num_hlo_instructions) < 50


@pytest.mark.skipif(BACKEND != "jax", reason="counts equations of the jaxpr")
def test_few_equations_are_added_per_variable() -> None:
    # 102 when each variable is measured by itself.
    assert _added_per_variable(_num_equations) < 12


@pytest.mark.skipif(BACKEND == "torch", reason="counts reductions that XLA compiles")
def test_a_variable_of_another_size_adds_no_reduction() -> None:
    # 13 on JAX without packing. On the CPU, XLA allocates the outputs of each reduction at every run,
    # even in a branch that is not taken.
    assert _added_per_variable(_num_reductions) < 1


@pytest.mark.skipif(BACKEND != "torch", reason="counts calls of torch")
def test_few_torch_calls_are_added_per_variable_to_a_sampled_step() -> None:
    # 53 when each variable is measured by itself.
    assert _added_per_variable(_num_dispatched_calls) < 18


@pytest.mark.skipif(BACKEND != "jax", reason="only JAX compiles eager operations")
def test_eager_step_compiles_nothing_after_the_first_steps(
    caplog: pytest.LogCaptureFixture,
) -> None:
    # `jax.lax.cond` and a variadic `reduce` would be compiled at each step, for 1.5 seconds.
    import jax

    optimizer = _optimizer(FEW, recorded=True, same_shape=False)

    def two_steps() -> int:
        caplog.clear()
        with jax.log_compiles():
            for _ in range(2):
                optimizer.apply(_gradients(optimizer))
        return sum("compil" in record.getMessage().lower() for record in caplog.records)

    assert two_steps() > 0
    two_steps()
    assert two_steps() == 0

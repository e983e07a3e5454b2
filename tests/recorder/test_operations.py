"""What a variable adds to a step, in operations: it is they that cost, where variables are small."""

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


def _optimizer(num: int, recorded: bool, xla: bool = False, alike: bool = True) -> Any:
    """Adam, built for variables of one shape, or of a size each."""
    shapes = [SHAPE if alike else (i + 1,) for i in range(num)]
    variables = [keras.Variable(np.ones(shape), dtype="float32", name="w") for shape in shapes]
    optimizer = keras.optimizers.Adam()
    optimizer.build(variables)
    if recorded:
        instrument(optimizer, RecorderConfig(every=2, xla=xla))
    return optimizer


def _gradients(optimizer: Any) -> list[Any]:
    return [ops.ones(v.shape) for v in optimizer._trainable_variables]


def _in_graph(num: int, recorded: bool) -> int:
    import tensorflow as tf

    optimizer = _optimizer(num, recorded)
    step = tf.function(optimizer.apply)
    graph = step.get_concrete_function(_gradients(optimizer)).graph.as_graph_def()
    return len(graph.node) + sum(len(f.node_def) for f in graph.library.function)


def _in_graph_for_xla(num: int, recorded: bool) -> int:
    return _xla_program(_optimizer(num, recorded, xla=True)).count(" = ")


def _xla_program(optimizer: Any) -> str:
    import tensorflow as tf

    step = tf.function(lambda gradients: optimizer.apply(gradients), jit_compile=True)
    return step.experimental_get_compiler_ir(_gradients(optimizer))(stage="hlo")


def _for_xla(num: int, recorded: bool) -> int:
    return len(_equations(_traced(_optimizer(num, recorded), recorded)))


def _reductions(num: int, recorded: bool) -> int:
    if BACKEND == "tensorflow":
        return _xla_program(_optimizer(num, recorded, xla=True, alike=False)).count(" reduce(")
    equations = _equations(_traced(_optimizer(num, recorded, alike=False), recorded))
    return sum(equation.primitive.name.startswith("reduce") for equation in equations)


def _traced(optimizer: Any, recorded: bool) -> Any:
    import jax

    weights = [v.value for v in optimizer._trainable_variables]
    with backend.step_state.expose_in_optimizer_variables(
        optimizer.recorder.rings if recorded else []
    ):
        held = [
            [v.value for v in optimizer.variables],
            [ops.ones_like(w) for w in weights],
            weights,
        ]
        return jax.make_jaxpr(optimizer.stateless_apply)(*held).jaxpr


def _equations(jaxpr: Any) -> list[Any]:
    from jax.extend.core import jaxprs_in_params

    inner = [part for equation in jaxpr.eqns for part in jaxprs_in_params(equation.params)]
    return [*jaxpr.eqns, *(equation for part in inner for equation in _equations(part))]


def _called(num: int, recorded: bool) -> int:
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


def _added_by_each(count: Callable[[int, bool], int]) -> float:
    """What one more variable adds, beyond what it adds to the step of stock Keras."""
    added = [count(num, True) - count(num, False) for num in (FEW, MANY)]
    return (added[1] - added[0]) / (MANY - FEW)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts nodes of TensorFlow's graph")
def test_a_traced_step_grows_little() -> None:
    # It was 151 when each variable was traced by itself.
    assert _added_by_each(_in_graph) < 25


@pytest.mark.skipif(BACKEND != "tensorflow", reason="counts what XLA is given to compile")
def test_a_step_that_xla_compiles_grows_little() -> None:
    # It was 341 when each variable was measured by itself.
    assert _added_by_each(_in_graph_for_xla) < 50


@pytest.mark.skipif(BACKEND != "jax", reason="counts what XLA is given to compile")
def test_a_compiled_step_grows_little() -> None:
    # It was 102 when each variable was measured by itself.
    assert _added_by_each(_for_xla) < 12


@pytest.mark.skipif(BACKEND == "torch", reason="counts what XLA compiles")
def test_a_variable_of_its_own_size_adds_no_reduction() -> None:
    # It was 13 on JAX. On the CPU XLA allocates the numbers of each at every run, taken branch or not.
    assert _added_by_each(_reductions) < 1


@pytest.mark.skipif(BACKEND != "torch", reason="counts calls of torch")
def test_a_closer_look_takes_small_variables_together() -> None:
    # It was 53 when each variable was measured by itself.
    assert _added_by_each(_called) < 18


@pytest.mark.skipif(BACKEND != "jax", reason="elsewhere nothing is compiled there")
def test_a_step_that_runs_eagerly_compiles_nothing(caplog: pytest.LogCaptureFixture) -> None:
    # It compiled its branches and reductions anew, and took a second and a half.
    import jax

    optimizer = _optimizer(FEW, recorded=True, alike=False)

    def two_steps() -> int:
        caplog.clear()
        with jax.log_compiles():
            for _ in range(2):
                optimizer.apply(_gradients(optimizer))
        return sum("compil" in record.getMessage().lower() for record in caplog.records)

    assert two_steps() > 0
    two_steps()
    assert two_steps() == 0

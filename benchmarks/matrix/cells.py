"""A cell of the matrix: an optimizer in a mode, on the active backend.

Training with keras_l4 is compared with training without it, and the record with reference values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import optimizers

import keras_l4
from benchmarks.matrix.architectures import FEATURES
from benchmarks.matrix.autodiff import gradient_function
from benchmarks.matrix.modes import MODES, Mode
from benchmarks.matrix.results import BACKENDS
from benchmarks.matrix.trainers import BATCH, Data, Trajectory, train_by_fit
from keras_l4.records.block import StepBlock
from tests.recorder.harness import concatenate_blocks
from tests.training import same, state

KERAS_OPTIMIZERS = sorted(
    name
    for name, cls in vars(optimizers).items()
    if isinstance(cls, type)
    and issubclass(cls, optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer")
)
OWN_OPTIMIZERS = sorted(set(keras_l4.optimizers.__all__) & set(dir(optimizers)))
FEW_OPTIMIZERS = ["Adam", "SGD", "keras_l4.Adam"]
# How many of 16 cells the tests run on each backend. TensorFlow and JAX trace or compile a step for
# seconds; torch runs it at once.
CELLS_IN_TESTS = {"tensorflow": 1, "jax": 1, "torch": 14}


def optimizers_of(mode: str, backend: str) -> list[str]:
    """Returns the optimizers of the full matrix: all of Keras and one of keras_l4 in turn."""
    own = OWN_OPTIMIZERS[list(MODES).index(mode) % len(OWN_OPTIMIZERS)]
    return (
        FEW_OPTIMIZERS if backend in MODES[mode].slow_on else [*KERAS_OPTIMIZERS, f"keras_l4.{own}"]
    )


def part_of(mode: str, backend: str) -> list[str]:
    """Returns the optimizers of the tests. The backends together cover all of `optimizers_of`."""
    backends = [name for name in BACKENDS if name not in MODES[mode].slow_on]
    turns = [name for name in backends for _ in range(CELLS_IN_TESTS[name])]
    shift = list(MODES).index(mode)
    numbered = enumerate(optimizers_of(mode, backend))
    return [name for j, name in numbered if turns[(shift + j) % len(turns)] == backend]


def outcome(mode_name: str, optimizer: str) -> str:
    """Returns `"ok"`, or the error of Keras if it does not support the combination.

    Raises:
        AssertionError: keras_l4 changes the weights, or records wrong values.
    """
    mode = MODES[mode_name]
    try:
        return _outcome(mode, optimizer)
    finally:
        keras.config.set_dtype_policy("float32")
        _clear_caches()


def _clear_caches() -> None:
    """Frees the compiled functions of JAX, which take gigabytes after a hundred models."""
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


def _outcome(mode: Mode, optimizer: str) -> str:
    keras_name = optimizer.removeprefix("keras_l4.")
    plain, trajectory = _model(mode, keras_name), Trajectory()
    data = _data(mode)
    # `Trajectory` needs a callback after every step.
    has_trajectory = mode.train is train_by_fit and mode.steps_per_execution == 1
    try:
        mode.train(plain, data, [*mode.callbacks(), *[trajectory] * has_trajectory], ())
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    recorded, blocks = _model(mode, optimizer, is_built=False), []
    assert plain.dtype_policy.name == recorded.dtype_policy.name == mode.policy
    optimizer_class = type(recorded.optimizer)
    mode.train(recorded, data, mode.callbacks(), [blocks.append])
    assert same(state(recorded), state(plain)), "weights or slots differ"
    assert type(recorded.optimizer) is optimizer_class
    if not has_trajectory:
        plain = _model(mode, keras_name, steps_per_execution=1)
        train_by_fit(plain, data, [*mode.callbacks(), trajectory], ())
    _check_record(concatenate_blocks(blocks), mode, plain, trajectory, data)
    return "ok"


def _model(mode: Mode, name: str, is_built: bool = True, **compile_options: Any) -> Any:
    keras.utils.clear_session(free_memory=False)
    # `clear_session` also resets the dtype policy.
    keras.config.set_dtype_policy(mode.policy)
    keras.utils.set_random_seed(0)
    model = mode.architecture()
    if is_built and not model.built:
        model(np.zeros((1, FEATURES), "float32"))
    options = {"learning_rate": 0.01} | dict(mode.options)
    if callable(options["learning_rate"]):
        options["learning_rate"] = options["learning_rate"]()
    optimizer = mode.wrap(_optimizer(name, options))
    model.compile(optimizer, "mse", **(dict(mode.compile_options) | compile_options))
    return model


def _optimizer(name: str, options: Mapping[str, Any]) -> Any:
    if name == "MultiOptimizer":
        scale = options.get("loss_scale_factor")
        by_path = {".*kernel": optimizers.SGD(**options)}
        parts = optimizers.OptimizerMap(optimizers.Adam(**options), by_path)
        return optimizers.MultiOptimizer(parts, loss_scale_factor=scale)
    is_own = name.startswith("keras_l4.")
    module = keras_l4.optimizers if is_own else optimizers
    return getattr(module, name.removeprefix("keras_l4."))(**options)


def _data(mode: Mode) -> Data:
    rng = np.random.default_rng(0)
    num_rows, inputs = mode.num_batches * BATCH, range(mode.num_outputs)
    x = [rng.normal(size=(num_rows, FEATURES)).astype("float32") for _ in inputs]
    y = [rng.normal(size=(num_rows, 1)).astype("float32") for _ in inputs]
    if mode.overflow_at is not None:
        x[0][mode.overflow_at * BATCH] *= 1e6
    return x, y


def _check_record(
    block: StepBlock, mode: Mode, reference: Any, trajectory: Trajectory, data: Data
) -> None:
    micro_steps = int(mode.options.get("gradient_accumulation_steps", 1))
    num_calls = 2 * mode.num_batches
    last = np.arange(micro_steps - 1, num_calls, micro_steps)
    assert block.steps.tolist() == list(range(1, len(last) + 1))
    assert (block.epochs * mode.num_batches + block.batches).tolist() in (
        last.tolist(),
        # A custom loop has no epochs.
        list(range(num_calls)),
    )
    gradients = _reference_gradients(reference, trajectory, data)
    means = [np.mean(gradients[i - micro_steps + 1 : i + 1], axis=0) for i in last]
    norms = np.array([[_norm(g) for g in _split(mean, reference)] for mean in means])
    finite = np.isfinite(norms).all(axis=1)
    # A gradient of zero becomes NaN in some optimizers; only loss scaling skips such a step.
    has_overflow = mode.overflow_at is not None
    assert not has_overflow or not finite.all(), "nothing overflowed"
    assert block.skipped.tolist() == (~finite & has_overflow).tolist()
    assert np.isfinite(block.values["gradient_norm"]).all(axis=1).tolist() == finite.tolist()
    _assert_close(block.values["gradient_norm"][finite], norms[finite], mode.rtol)
    counts = block.values["nan_count"] + block.values["inf_count"]
    assert (counts.sum(axis=1) == 0).tolist() == finite.tolist()
    _assert_close(block.learning_rate, np.array(trajectory.learning_rates)[last], 1e-6)
    _assert_close(block.loss_scale, np.array(trajectory.loss_scales)[last], 1e-6)
    if mode.steps_per_execution == 1:
        _check_weights(block, reference, trajectory, last)


def _check_weights(
    block: StepBlock, reference: Any, trajectory: Trajectory, last: np.ndarray
) -> None:
    before, after = _weights(reference, trajectory.before), _weights(reference, trajectory.after)
    norms = np.array([[_norm(w) for w in before[i]] for i in last])
    _assert_close(block.values["weight_norm"], norms, 1e-5)
    pairs_by_step = [zip(after[i], before[i], strict=True) for i in last]
    updates = np.array([[_norm(new - old) for new, old in pairs] for pairs in pairs_by_step])
    _assert_close(block.values["update_norm"], updates, 1e-4)


def _weights(model: Any, states: list[list[Any]]) -> list[list[np.ndarray]]:
    """Returns the trainable weights of each state, in float64."""
    return [[state[p].astype("float64") for p in _positions(model)] for state in states]


def _positions(model: Any) -> list[int]:
    order = {id(v): i for i, v in enumerate(model.variables)}
    return [order[id(v)] for v in model.trainable_variables]


def _reference_gradients(model: Any, trajectory: Trajectory, data: Data) -> list[np.ndarray]:
    """Returns the flat gradient of each step, at the weights before the step."""
    differentiate = gradient_function(model)
    flat_gradients = []
    for call, (values, scale) in enumerate(
        zip(trajectory.before, trajectory.loss_scales, strict=True)
    ):
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        start = call * BATCH % len(data[0][0])
        x, y = ([part[start : start + BATCH] for part in parts] for parts in data)
        parts = differentiate(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], scale)
        flat_gradients.append(np.concatenate([g.ravel() for g in parts]))
    return flat_gradients


def _split(flat: np.ndarray, model: Any) -> list[np.ndarray]:
    sizes = [int(np.prod(v.shape)) for v in model.trainable_variables]
    return np.split(flat, np.cumsum(sizes)[:-1])


def _norm(x: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.square(x))))


def _assert_close(actual: np.ndarray, expected: np.ndarray, rtol: float) -> None:
    scale = np.nanmax(np.abs(expected), initial=0)
    np.testing.assert_allclose(actual, expected, rtol=rtol, atol=scale * rtol * 1e-2)

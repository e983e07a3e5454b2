"""One cell: an optimizer in a mode on the active backend, compared with training without us."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import optimizers

import keras_l4
from benchmarks.matrix.architectures import FEATURES
from benchmarks.matrix.autodiff import gradients
from benchmarks.matrix.modes import MODES, Mode
from benchmarks.matrix.results import BACKENDS
from benchmarks.matrix.trainers import BATCH, Data, Trajectory, by_fit
from keras_l4.records.block import StepBlock
from tests.recorder.recorded import joined
from tests.training import same, state

STOCK = sorted(
    name
    for name, thing in vars(optimizers).items()
    if isinstance(thing, type)
    and issubclass(thing, optimizers.Optimizer)
    and name not in ("Optimizer", "LossScaleOptimizer")
)
OURS = sorted(set(keras_l4.optimizers.__all__) - {"instrument", "restore"})
FEW = ["Adam", "SGD", "keras_l4.Adam"]
# Of 16 cells, in the tests. What TensorFlow and JAX trace or compile for seconds torch just runs.
SHARES = {"tensorflow": 1, "jax": 1, "torch": 14}


def optimizers_of(mode: str, backend: str) -> list[str]:
    """Those that the whole matrix has in this mode: all of Keras', and one of ours in turn."""
    ours = OURS[list(MODES).index(mode) % len(OURS)]
    return FEW if backend in MODES[mode].slow_on else [*STOCK, f"keras_l4.{ours}"]


def part_of(mode: str, backend: str) -> list[str]:
    """Some of them, others on each backend, so that together they are all."""
    able = [name for name in BACKENDS if name not in MODES[mode].slow_on]
    turns = [name for name in able for _ in range(SHARES[name])]
    shift = list(MODES).index(mode)
    asked = enumerate(optimizers_of(mode, backend))
    return [name for j, name in asked if turns[(shift + j) % len(turns)] == backend]


def outcome(mode_name: str, optimizer: str) -> str:
    """`"ok"`, or why Keras does not train so.

    Raises:
        AssertionError: It does, and with us it trains otherwise, or is recorded wrongly.
    """
    mode = MODES[mode_name]
    try:
        return _outcome(mode, optimizer)
    finally:
        keras.config.set_dtype_policy("float32")
        _forget()


def _forget() -> None:
    """JAX keeps what it compiled, which after a hundred models is gigabytes."""
    if keras.backend.backend() == "jax":
        import jax

        jax.clear_caches()


def _outcome(mode: Mode, optimizer: str) -> str:
    stock = optimizer.removeprefix("keras_l4.")
    plain, trajectory = _model(mode, stock), Trajectory()
    data = _data(mode)
    # Whoever looks at every batch needs `fit` to stop at every batch.
    looked_at = mode.train is by_fit and mode.steps_per_execution == 1
    try:
        mode.train(plain, data, [*mode.callbacks(), *[trajectory] * looked_at], ())
    except Exception as error:
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0]}"
    watched, blocks = _model(mode, optimizer, built=False), []
    assert plain.dtype_policy.name == watched.dtype_policy.name == mode.policy
    before = type(watched.optimizer)
    mode.train(watched, data, mode.callbacks(), [blocks.append])
    assert same(state(watched), state(plain)), "weights or slots differ"
    assert type(watched.optimizer) is before
    if not looked_at:
        plain = _model(mode, stock, steps_per_execution=1)
        by_fit(plain, data, [*mode.callbacks(), trajectory], ())
    _check(joined(blocks), mode, plain, trajectory, data)
    return "ok"


def _model(mode: Mode, name: str, built: bool = True, **compiled: Any) -> Any:
    keras.utils.clear_session(free_memory=False)
    # It also forgets the policy.
    keras.config.set_dtype_policy(mode.policy)
    keras.utils.set_random_seed(0)
    model = mode.architecture()
    if built and not model.built:
        model(np.zeros((1, FEATURES), "float32"))
    options = {"learning_rate": 0.01} | dict(mode.options)
    if callable(options["learning_rate"]):
        options["learning_rate"] = options["learning_rate"]()
    optimizer = mode.wrap(_optimizer(name, options))
    model.compile(optimizer, "mse", **(dict(mode.compiled) | compiled))
    return model


def _optimizer(name: str, options: Mapping[str, Any]) -> Any:
    if name == "MultiOptimizer":
        scale = options.get("loss_scale_factor")
        of_kernels = {".*kernel": optimizers.SGD(**options)}
        parts = optimizers.OptimizerMap(optimizers.Adam(**options), of_kernels)
        return optimizers.MultiOptimizer(parts, loss_scale_factor=scale)
    ours = name.startswith("keras_l4.")
    module = keras_l4.optimizers if ours else optimizers
    return getattr(module, name.removeprefix("keras_l4."))(**options)


def _data(mode: Mode) -> Data:
    rng = np.random.default_rng(0)
    num, several = mode.num_batches * BATCH, range(mode.num_outputs)
    x = [rng.normal(size=(num, FEATURES)).astype("float32") for _ in several]
    y = [rng.normal(size=(num, 1)).astype("float32") for _ in several]
    if mode.overflow_at is not None:
        x[0][mode.overflow_at * BATCH] *= 1e6
    return x, y


def _check(
    block: StepBlock, mode: Mode, reference: Any, trajectory: Trajectory, data: Data
) -> None:
    micro_steps = int(mode.options.get("gradient_accumulation_steps", 1))
    num_calls = 2 * mode.num_batches
    last = np.arange(micro_steps - 1, num_calls, micro_steps)
    assert block.steps.tolist() == list(range(1, len(last) + 1))
    assert (block.epochs * mode.num_batches + block.batches).tolist() in (
        last.tolist(),
        # A loop of the user's own has no epochs.
        list(range(num_calls)),
    )
    found = _gradients(reference, trajectory, data)
    means = [np.mean(found[i - micro_steps + 1 : i + 1], axis=0) for i in last]
    norms = np.array([[_norm(g) for g in _split(mean, reference)] for mean in means])
    finite = np.isfinite(norms).all(axis=1)
    # Some optimizers make NaN of a gradient that is zero; only loss scaling skips one.
    skips = mode.overflow_at is not None
    assert not skips or not finite.all(), "nothing overflowed"
    assert block.skipped.tolist() == (~finite & skips).tolist()
    assert np.isfinite(block.values["gradient_norm"]).all(axis=1).tolist() == finite.tolist()
    _close(block.values["gradient_norm"][finite], norms[finite], mode.rtol)
    counts = block.values["nan_count"] + block.values["inf_count"]
    assert (counts.sum(axis=1) == 0).tolist() == finite.tolist()
    _close(block.learning_rate, np.array(trajectory.rates)[last], 1e-6)
    _close(block.loss_scale, np.array(trajectory.scales)[last], 1e-6)
    if mode.steps_per_execution == 1:
        _check_weights(block, reference, trajectory, last)


def _check_weights(
    block: StepBlock, reference: Any, trajectory: Trajectory, last: np.ndarray
) -> None:
    before, after = _weights(reference, trajectory.before), _weights(reference, trajectory.after)
    norms = np.array([[_norm(w) for w in before[i]] for i in last])
    _close(block.values["weight_norm"], norms, 1e-5)
    moved = [zip(after[i], before[i], strict=True) for i in last]
    updates = np.array([[_norm(new - old) for new, old in pairs] for pairs in moved])
    _close(block.values["update_norm"], updates, 1e-4)


def _weights(model: Any, states: list[list[Any]]) -> list[list[np.ndarray]]:
    """Of each state the trainable weights, in float64."""
    return [[state[p].astype("float64") for p in _positions(model)] for state in states]


def _positions(model: Any) -> list[int]:
    order = {id(v): i for i, v in enumerate(model.variables)}
    return [order[id(v)] for v in model.trainable_variables]


def _gradients(model: Any, trajectory: Trajectory, data: Data) -> list[np.ndarray]:
    """One flat gradient per call, at the weights that it met."""
    differentiate = gradients(model)
    found = []
    for call, (values, scale) in enumerate(zip(trajectory.before, trajectory.scales, strict=True)):
        for variable, value in zip(model.variables, values, strict=True):
            variable.assign(value)
        start = call * BATCH % len(data[0][0])
        x, y = ([part[start : start + BATCH] for part in parts] for parts in data)
        parts = differentiate(x if len(x) > 1 else x[0], y if len(y) > 1 else y[0], scale)
        found.append(np.concatenate([g.ravel() for g in parts]))
    return found


def _split(flat: np.ndarray, model: Any) -> list[np.ndarray]:
    sizes = [int(np.prod(v.shape)) for v in model.trainable_variables]
    return np.split(flat, np.cumsum(sizes)[:-1])


def _norm(x: np.ndarray) -> float:
    return float(np.sqrt(np.sum(np.square(x))))


def _close(got: np.ndarray, want: np.ndarray, rtol: float) -> None:
    scale = np.nanmax(np.abs(want), initial=0)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=scale * rtol * 1e-2)

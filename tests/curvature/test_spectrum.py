from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import optimizers
from scipy.stats import wasserstein_distance

from keras_l4.curvature import spectrum, stability
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._operator import layer_operator
from keras_l4.curvature._preconditioner import preconditioner
from tests.curvature.finite_differences import dense_hessian
from tests.curvature.models import compiled, data_for, dense, double_precision, recurrent, wide


def test_estimates_agree_with_the_dense_hessian() -> None:
    """The model has more weights than products: Lanczos, Hutchinson and quadrature are used."""
    with double_precision():
        model = compiled(wide())
        x, y = data_for(model)
        values = np.linalg.eigvalsh(dense_hessian(Objective(model, x, y, batch_size=20)))
        found = spectrum(model, x, y, max_steps=80, num_steps=25)

    assert found.size == 383 > found.num_hessian_vector_products
    assert found.largest == pytest.approx(values[-1], rel=1e-4)
    assert found.smallest == pytest.approx(values[0], rel=1e-4)
    assert abs(found.trace - values.sum()) <= 3 * found.trace_error
    density = found.density
    distance = wasserstein_distance(values, density.values, v_weights=density.weights)
    assert distance <= 1e-2 * np.ptp(values)
    true = values[-1] / np.quantile(np.abs(values), 0.5, method="inverted_cdf")
    assert true / 4 <= found.condition_number <= true
    assert found.is_lower_bound


@pytest.mark.any_backend
def test_spectrum_of_a_small_model_and_of_its_layer_is_exact() -> None:
    with double_precision():
        model = compiled(dense())
        x, y = data_for(model)
        whole = dense_hessian(Objective(model, x, y, batch_size=20))
        found = spectrum(model, x, y, batch_size=8)
        first = spectrum(model, x, y, layer=model.layers[0].name)

    values = np.linalg.eigvalsh(whole)
    assert (found.largest, found.smallest) == pytest.approx((values[-1], values[0]), rel=1e-4)
    assert (found.trace, found.trace_error) == (pytest.approx(values.sum(), rel=1e-6), 0)
    small = np.quantile(np.abs(values), 0.5, method="inverted_cdf")
    assert found.condition_number == pytest.approx(values[-1] / small, rel=1e-4)
    part = np.linalg.eigvalsh(whole[:56, :56])
    assert first.size == 56
    assert (first.largest, first.smallest) == pytest.approx((part[-1], part[0]), rel=1e-4)


@pytest.mark.any_backend
def test_layer_operator_finds_a_layer_by_name_with_its_sublayers() -> None:
    model = compiled(recurrent())
    objective = Objective(model, *data_for(model), batch_size=20)
    name, cell = model.layers[0].name, model.layers[0].cell.path
    assert layer_operator(objective, name).size == layer_operator(objective, cell).size == 84
    assert layer_operator(objective, model.layers[1].name).size == objective.size - 84


def test_float32_agrees_with_float64() -> None:
    def extremes(weights: Any) -> tuple[float, float]:
        model = compiled(dense())
        model.set_weights(weights)
        found = spectrum(model, *data_for(model))
        return found.largest, found.smallest

    weights = compiled(dense()).get_weights()
    in_float32 = extremes(weights)
    with double_precision():
        assert in_float32 == pytest.approx(extremes(weights), rel=1e-4)


def test_preconditioner_of_adam_agrees_with_cohen_et_al() -> None:
    epsilon, steps = 1e-8, 7
    model = compiled(dense(), optimizers.Adam(0.01, epsilon=epsilon))
    x, y = data_for(model)
    model.fit(x, y, epochs=steps, batch_size=20, verbose=0)
    second = np.concatenate([np.ravel(v) for v in map(to_numpy, model.optimizer._velocities)])
    root = np.sqrt(second / (1 - 0.999**steps))
    expected = (1 - 0.9**steps) * (root + epsilon / np.sqrt(1 - 0.999**steps))

    assert np.allclose(preconditioner(model), expected, rtol=1e-5)
    result = stability(model, x, y)
    assert result.threshold == pytest.approx(38 / 0.01, rel=1e-5)
    assert result.sharpness == pytest.approx(
        spectrum(model, x, y, preconditioned=True).largest, rel=1e-4
    )


@pytest.mark.parametrize("name", ["Adagrad", "RMSprop"])
def test_preconditioner_is_the_denominator_of_the_step(name: str) -> None:
    model = compiled(dense(), getattr(optimizers, name)(0.01))
    x, y = data_for(model)
    model.fit(x, y, epochs=3, batch_size=20, verbose=0)
    before = np.concatenate([np.ravel(w) for w in model.get_weights()])
    gradient = Objective(model, x, y, batch_size=20).gradient()[1]
    model.fit(x, y, batch_size=20, verbose=0)
    step = before - np.concatenate([np.ravel(w) for w in model.get_weights()])

    expected = 0.01 * gradient / preconditioner(model)
    assert np.allclose(step, expected, rtol=1e-2, atol=1e-6)


def to_numpy(variable: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(variable), np.float64)


@pytest.mark.any_backend
def test_thresholds_depend_on_momentum() -> None:
    model = compiled(dense())
    data = data_for(model)
    thresholds = []
    for arguments in ({}, {"momentum": 0.5}, {"momentum": 0.5, "nesterov": True}):
        model.optimizer = optimizers.SGD(0.1, **arguments)
        thresholds.append(stability(model, *data).threshold)
    assert thresholds == pytest.approx([20, 30, 15])


@pytest.mark.any_backend
def test_unknown_thresholds_preconditioners_and_layers_raise_an_error() -> None:
    model = compiled(dense(), "lion")
    data = data_for(model)
    with pytest.raises(ValueError, match="Lion has no known threshold"):
        stability(model, *data)
    with pytest.raises(ValueError, match="Lion has no closed form"):
        spectrum(model, *data, preconditioned=True)
    with pytest.raises(ValueError, match=r"layer='dense_9': expected one of \['sequential/dense"):
        spectrum(model, *data, layer="dense_9")
    with pytest.raises(ValueError, match="Adam has taken no step yet"):
        stability(compiled(dense(), "adam"), *data)


@pytest.mark.any_backend
def test_verbose_prints_the_expected_cost_first(capsys: pytest.CaptureFixture[str]) -> None:
    model = compiled(dense())
    found = spectrum(model, *data_for(model), verbose=1)
    printed = capsys.readouterr().out
    assert printed.startswith("keras_l4: up to 83 Hessian-vector products of ")
    assert "83/83" in printed
    assert found.num_hessian_vector_products == 83
    assert "83 Hessian-vector products" in str(found)

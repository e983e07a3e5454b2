from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import pytest

from keras_l4 import surfaces
from keras_l4.curvature import CurvatureConfig, classify, spectrum, stability
from keras_l4.curvature._classify import (
    FLATNESS,
    MAX_SLOPE_RATIO,
    RAVINE_CONDITION,
    RELATIVE_RADIUS,
)
from keras_l4.curvature.surfaces import Surface
from tests.curvature.models import double_precision

SURFACES = {
    surface.name: surface
    for surface in (
        surfaces.quadratic(),
        surfaces.ravine(),
        surfaces.rosenbrock(),
        surfaces.beale(),
        surfaces.himmelblau(),
        surfaces.saddle(),
        surfaces.monkey_saddle(),
        surfaces.quartic_plateau(),
    )
}
EPSILON = 2.0**-23
every_surface = pytest.mark.parametrize("surface", SURFACES.values(), ids=SURFACES)


@pytest.mark.any_backend
@every_surface
def test_derivatives_agree_with_the_formula(surface: Surface) -> None:
    step = 1e-5
    for x, y in np.random.default_rng(0).uniform(-2, 2, size=(20, 2)):
        ahead = [surface.value(x + step, y), surface.value(x, y + step)]
        behind = [surface.value(x - step, y), surface.value(x, y - step)]
        slopes = (np.array(ahead) - behind) / (2 * step)
        assert np.allclose(surface.gradient(x, y), slopes, rtol=1e-6, atol=1e-6)
        across = surface.gradient(x + step, y) - surface.gradient(x - step, y)
        along = surface.gradient(x, y + step) - surface.gradient(x, y - step)
        bends = np.array([across, along]) / (2 * step)
        assert np.allclose(surface.hessian(x, y), bends, rtol=1e-6, atol=1e-6)


@pytest.mark.any_backend
@every_surface
def test_gradient_is_zero_at_critical_points(surface: Surface) -> None:
    for point in surface.critical_points:
        assert np.abs(surface.gradient(point.x, point.y)).max() < 1e-12


def test_fit_takes_a_gradient_step() -> None:
    surface = surfaces.rosenbrock()
    model = surface.model(keras.optimizers.SGD(1e-5), start=(0.7, 1.3))
    (loss,) = model.fit(*surface.data(), verbose=0).history["loss"]
    moved = keras.ops.convert_to_numpy(model.weights[0]) - [0.7, 1.3]

    assert loss == pytest.approx(surface.value(0.7, 1.3), rel=1e-5)
    assert np.allclose(moved, -1e-5 * surface.gradient(0.7, 1.3), rtol=1e-2, atol=2e-7)


@every_surface
def test_critical_points_are_classified(surface: Surface) -> None:
    model = surface.model("sgd")
    for point in surface.critical_points:
        model.weights[0].assign([point.x, point.y])
        report = classify(model, *surface.data())
        assert report.kind == point.kind, report
        if report.kind == "saddle":
            assert report.changes["+v_min"] < 0
            assert report.changes["-v_min"] < 0


def test_decrease_of_the_loss_at_a_degenerate_point_is_measured() -> None:
    surface = surfaces.monkey_saddle()
    report = classify(surface.model("sgd", start=(0.0, 0.0)), *surface.data())
    # x³ along the first axis.
    assert min(report.changes.values()) <= -0.9 * report.distance**3


def expected_kind(surface: Surface, x: float, y: float) -> str:
    """Applies the definitions of `classify` to a point that is not critical, without noise."""
    slope = float(np.linalg.norm(surface.gradient(x, y)))
    values = np.linalg.eigvalsh(surface.hessian(x, y))
    radius = RELATIVE_RADIUS * max(1.0, float(np.hypot(x, y)))
    bend, loss = float(np.abs(values).max()) * radius**2 / 2, abs(surface.value(x, y))
    assert slope * radius > 1.01 * max(MAX_SLOPE_RATIO * bend, 4 * EPSILON * loss), "critical"
    assert slope * radius + bend > FLATNESS * loss, "flat"
    return "ravine" if values[-1] > RAVINE_CONDITION * np.abs(values).min() else "descending"


def random_points(surface: Surface) -> Iterator[tuple[float, float]]:
    yield from np.random.default_rng(1).uniform(-2, 2, size=(125, 2)).astype("float32").tolist()


@every_surface
def test_random_points_are_classified(surface: Surface) -> None:
    model = surface.model("sgd")
    for x, y in random_points(surface):
        model.weights[0].assign([x, y])
        report = classify(model, *surface.data())
        assert report.kind == expected_kind(surface, x, y), (x, y, report)
        assert report.loss == pytest.approx(surface.value(x, y), rel=1e-4, abs=1e-4)
        slope = np.linalg.norm(surface.gradient(x, y))
        assert report.gradient_norm == pytest.approx(slope, rel=1e-3)


CONDITIONS = [1.0, 1e3, 1e6]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_condition_number_of_a_quadratic_is_exact_up_to_rounding(condition: float) -> None:
    for surface in (surfaces.quadratic(condition), surfaces.ravine(condition)):
        found = spectrum(surface.model("sgd"), *surface.data())
        if condition > 1 / (10 * EPSILON):
            assert found.is_lower_bound
            assert found.condition_number == pytest.approx(1 / (10 * EPSILON))
        else:
            tolerance = max(4 * EPSILON * condition, 1e-6)
            assert found.condition_number == pytest.approx(condition, rel=tolerance)
        with double_precision():
            found = spectrum(surface.model("sgd"), *surface.data())
        assert found.condition_number == pytest.approx(condition, rel=1e-2)
        assert not found.is_lower_bound


OPTIMIZERS = {
    "plain": {},
    "heavy ball": {"momentum": 0.9},
    "nesterov": {"momentum": 0.9, "nesterov": True},
}


def final_height(surface: Surface, rate: float, arguments: dict[str, float]) -> float:
    model = surface.model(keras.optimizers.SGD(rate, **arguments), start=(1e-3, 0.0))
    data = surface.data(500)
    model.fit(*data, batch_size=1, shuffle=False, verbose=0)
    return surface.value(*keras.ops.convert_to_numpy(model.weights[0]))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_diverges_above_the_largest_stable_learning_rate(name: str) -> None:
    surface, arguments = surfaces.quadratic(50.0), OPTIMIZERS[name]
    model = surface.model(keras.optimizers.SGD(0.01, **arguments))
    edge = stability(model, *surface.data()).largest_stable_learning_rate
    start = surface.value(1e-3, 0.0)

    assert final_height(surface, 0.99 * edge, arguments) < 0.1 * start
    assert final_height(surface, 1.01 * edge, arguments) > 10 * start


@pytest.mark.any_backend
@pytest.mark.parametrize("wrong", [{"num_probes": 1}, {"quantile": 1.5}, {"batch_size": 0}])
def test_invalid_config_raises_an_error(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))}=.*expected"):
        CurvatureConfig(**wrong)

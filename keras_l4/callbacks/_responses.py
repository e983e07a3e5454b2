"""Statistics of what layers, and the model, answer; NumPy only."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from keras_l4.callbacks._target_facts import task_of
from keras_l4.recorder.notes import LayerResponse, Response

NAN = float("nan")
# The derivative as a share of its largest, from the activation's own value.
_DERIVATIVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda a: 4 * a * (1 - a),
    "tanh": lambda a: 1 - a**2,
    "softsign": lambda a: (1 - np.abs(a)) ** 2,
    "hard_sigmoid": lambda a: ((a > 0) & (a < 1)).astype(float),
}


def layer_response(name: str, outputs: np.ndarray, activation: str) -> LayerResponse:
    """Statistics of `outputs` `[examples, ..., units]`."""
    num_nonfinite = int((~np.isfinite(outputs)).sum())
    values = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    units = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    magnitude = float(np.abs(values).mean()) if values.size else 0.0
    slope = _DERIVATIVES.get(activation)
    slopes = None if slope is None or not values.size else slope(values)
    return LayerResponse(
        name=name,
        width=units.shape[1],
        mean_abs=magnitude,
        max_abs=float(np.abs(values).max(initial=0.0)),
        std=float(values.std()) if values.size else 0.0,
        zero_fraction=float((values == 0).mean()) if values.size else 0.0,
        dead_units=float((units == 0).all(axis=0).mean()) if units.size else 0.0,
        local_gradient=NAN if slopes is None else float(slopes.mean()),
        saturated_fraction=NAN if slopes is None else float((slopes < 0.1).mean()),
        variation=_variation(values),
        num_nonfinite=num_nonfinite,
    )


def response(
    step: int,
    epoch: int,
    layers: tuple[LayerResponse, ...],
    outputs: np.ndarray,
    targets: np.ndarray | None,
    loss: str,
) -> Response:
    """How the model answered: `outputs` `[examples, ...]` to `targets`, if they are known."""
    finite = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    fits = targets is not None and len(targets) == len(finite) and finite.ndim <= 2
    fits = fits and bool(np.isfinite(outputs).all())
    accuracy, majority, explained, num_answers = NAN, NAN, NAN, 0
    if fits and targets is not None:
        answers = finite.reshape(len(finite), -1)
        truth = np.asarray(targets, np.float64).reshape(len(targets), -1)
        task = task_of(truth if targets.dtype.kind == "f" else _rows(targets), loss)
        if task == "real":
            explained = _explained(answers, truth)
        elif task != "multi-label":
            accuracy, majority, num_answers = _right(answers, truth, loss)
    return Response(
        step=step,
        epoch=epoch,
        layers=layers,
        accuracy=accuracy,
        majority=majority,
        explained=explained,
        num_answers=num_answers,
        output_minimum=float(finite.min()) if finite.size else NAN,
        output_maximum=float(finite.max()) if finite.size else NAN,
        output_variation=_variation(finite),
    )


def _rows(targets: np.ndarray) -> np.ndarray:
    return targets.reshape(len(targets), -1)


def _variation(values: np.ndarray) -> float:
    """Largest standard deviation over examples, relative to the magnitude."""
    scale = float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0
    if not scale:
        return 0.0
    return float(values.reshape(len(values), -1).std(axis=0).max() / scale)


def _explained(answers: np.ndarray, truth: np.ndarray) -> float:
    if answers.shape != truth.shape or not truth.size:
        return NAN
    spread = np.square(truth - truth.mean(axis=0)).sum()
    with np.errstate(over="ignore"):
        residual = np.square(answers - truth).sum()
    return float(1 - residual / spread) if spread else NAN


def _right(answers: np.ndarray, truth: np.ndarray, loss: str) -> tuple[float, float, int]:
    """Share of right answers, of the most frequent class, and number of different answers."""
    wanted = truth.argmax(axis=1) if truth.shape[1] > 1 else truth[:, 0].astype(int)
    given = answers.argmax(axis=1) if answers.shape[1] > 1 else answers[:, 0] > 0.5
    counts = np.unique(wanted, return_counts=True)[1]
    return (
        float((given == wanted).mean()),
        float(counts.max() / counts.sum()),
        len(np.unique(given)),
    )

"""Metadata of targets, and the loss of the best constant prediction; NumPy only."""

from __future__ import annotations

import numpy as np

from keras_l4.records.metadata import TargetMetadata, Task

NAN = float("nan")
# Losses that compare the signs of predictions and targets. Keras converts targets 0 to -1.
MARGIN_LOSSES = ("hinge", "squared_hinge")
# Losses that give little weight to outliers among the targets.
ROBUST_LOSSES = ("huber", "log_cosh", "mean_absolute_error")
# Losses of Keras that are lowest where the prediction is the target, or its probability. A custom
# loss may give integer targets another meaning.
KNOWN_LOSSES = (
    *MARGIN_LOSSES,
    *ROBUST_LOSSES,
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "k_l_divergence",
    "kl_divergence",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "sparse_categorical_crossentropy",
)


def target_metadata(sample: np.ndarray, loss: str) -> TargetMetadata:
    """Returns the metadata of targets `[examples]` or `[examples, ...]`."""
    rows = sample.reshape(len(sample), -1)
    is_finite = np.isfinite(rows.astype(np.float64))
    values = np.where(is_finite, rows, 0).astype(np.float64)
    task = infer_task(rows, loss)
    fractions = _class_fractions(values, task)
    return TargetMetadata(
        task=task,
        width=rows.shape[1],
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std()),
        num_classes=len(fractions),
        majority_fraction=float(fractions.max()) if len(fractions) else NAN,
        trivial_loss=_trivial_loss(values, fractions, loss),
        num_nonfinite=int((~is_finite).sum()),
    )


def infer_task(rows: np.ndarray, loss: str) -> Task:
    """Returns the kind of targets `[examples, width]`."""
    width = rows.shape[1]
    if width == 1 and loss in MARGIN_LOSSES and np.isin(rows, (-1, 0, 1)).all():
        return "binary"
    if np.isin(rows, (0, 1)).all():
        if width == 1:
            return "labels" if loss.startswith("sparse_") else "binary"
        return "one-hot" if (rows.sum(axis=1) == 1).all() else "multi-label"
    if width == 1 and loss.startswith("sparse_"):
        return "labels"
    has_few_values = len(np.unique(rows)) <= max(2, np.sqrt(len(rows)))
    is_integer = rows.dtype.kind in "iub"
    return "labels" if width == 1 and is_integer and has_few_values else "real"


def _class_fractions(values: np.ndarray, task: Task) -> np.ndarray:
    """Returns the fraction of each class; empty if the targets are not classes."""
    if task in ("real", "multi-label"):
        return np.empty(0)
    if task == "one-hot":
        return values.mean(axis=0)
    return np.unique(values, return_counts=True)[1] / values.size


def _trivial_loss(values: np.ndarray, fractions: np.ndarray, loss: str) -> float:
    """Returns the lowest loss of a constant prediction; NaN if it is not known."""
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    if loss == "mean_absolute_error":
        return float(np.abs(values - np.median(values, axis=0)).mean())
    if loss in ("categorical_crossentropy", "sparse_categorical_crossentropy") and len(fractions):
        return float(-np.sum(fractions * np.log(np.maximum(fractions, 1e-12))))
    is_probability = values.min() >= 0 and values.max() <= 1
    if loss == "binary_crossentropy" and is_probability:
        mean = np.clip(values.mean(axis=0), 1e-12, 1 - 1e-12)
        return float(-np.mean(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)))
    return NAN

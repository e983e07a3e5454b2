"""What targets look like, and the loss that a constant prediction would have."""

from __future__ import annotations

import numpy as np

from keras_l4.records.metadata import TargetMetadata, Task

# Signs of the answers are compared with those of the targets; Keras takes 0 for -1.
MARGIN_LOSSES = ("hinge", "squared_hinge")
# A few targets that are far off shall not count for more than others.
ROBUST_LOSSES = ("huber", "log_cosh", "mean_absolute_error")
# Those of Keras that are lowest where the answer is the target, or its probability. What another
# loss makes of classes, only its author knows.
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


def target_facts(sample: np.ndarray, loss: str) -> TargetMetadata:
    """Facts of targets `[examples]` or `[examples, ...]`."""
    rows = sample.reshape(len(sample), -1)
    finite = np.isfinite(rows.astype(np.float64))
    values = np.where(finite, rows, 0).astype(np.float64)
    task = task_of(rows, loss)
    shares = _shares(values, task)
    return TargetMetadata(
        task=task,
        width=rows.shape[1],
        minimum=float(values.min()),
        maximum=float(values.max()),
        mean=float(values.mean()),
        std=float(values.std()),
        num_classes=len(shares),
        majority=float(shares.max()) if len(shares) else float("nan"),
        trivial_loss=_trivial_loss(values, shares, loss),
        num_nonfinite=int((~finite).sum()),
    )


def task_of(rows: np.ndarray, loss: str) -> Task:
    """What the targets `[examples, width]` stand for."""
    width = rows.shape[1]
    if width == 1 and loss in MARGIN_LOSSES and np.isin(rows, (-1, 0, 1)).all():
        return "binary"
    if np.isin(rows, (0, 1)).all():
        if width == 1:
            return "labels" if loss.startswith("sparse_") else "binary"
        return "one-hot" if (rows.sum(axis=1) == 1).all() else "multi-label"
    if width == 1 and loss.startswith("sparse_"):
        return "labels"
    few = len(np.unique(rows)) <= max(2, np.sqrt(len(rows)))
    whole = rows.dtype.kind in "iub"
    return "labels" if width == 1 and whole and few else "real"


def _shares(values: np.ndarray, task: Task) -> np.ndarray:
    """Share of each class; none for real numbers."""
    if task == "real" or task == "multi-label":
        return np.empty(0)
    if task == "one-hot":
        return values.mean(axis=0)
    return np.unique(values, return_counts=True)[1] / values.size


def _trivial_loss(values: np.ndarray, shares: np.ndarray, loss: str) -> float:
    """The lowest loss of a constant prediction."""
    if loss == "mean_squared_error":
        return float(values.var(axis=0).mean())
    if loss == "mean_absolute_error":
        return float(np.abs(values - np.median(values, axis=0)).mean())
    if loss in ("categorical_crossentropy", "sparse_categorical_crossentropy") and len(shares):
        return float(-np.sum(shares * np.log(np.maximum(shares, 1e-12))))
    inside = values.min() >= 0 and values.max() <= 1
    if loss == "binary_crossentropy" and inside:
        mean = np.clip(values.mean(axis=0), 1e-12, 1 - 1e-12)
        return float(-np.mean(mean * np.log(mean) + (1 - mean) * np.log(1 - mean)))
    return float("nan")

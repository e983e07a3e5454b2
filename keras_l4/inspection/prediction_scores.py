"""Scores of the model's predictions for the probe batch; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_l4.inspection.activation_stats import variation
from keras_l4.inspection.target_metadata import (
    KNOWN_LOSSES,
    MARGIN_LOSSES,
    ROBUST_LOSSES,
    infer_task,
)
from keras_l4.records.annotations import ActivationStats, ProbeResult

NAN = float("nan")
_MIN_PROBABILITY = 1e-7


@dataclass(frozen=True)
class LossInfo:
    """How predictions are compared with targets.

    Attributes:
        targets: The targets, `[examples, ...]`, or None if they are not available.
        loss: Name of the loss function.
        from_logits: Whether the loss takes logits.
    """

    targets: np.ndarray | None
    loss: str
    from_logits: bool

    @property
    def is_margin_loss(self) -> bool:
        """True if the sign of a prediction is the predicted class."""
        return self.loss in MARGIN_LOSSES


@dataclass(frozen=True)
class _Scores:
    """The scores in `ProbeResult`; those that do not apply to the loss are NaN."""

    accuracy: float = NAN
    majority_fraction: float = NAN
    crossentropy: float = NAN
    baseline_crossentropy: float = NAN
    explained_variance: float = NAN
    num_answers: int = 0


def probe_result(
    step: int,
    epoch: int,
    layers: tuple[ActivationStats, ...],
    outputs: np.ndarray,
    loss_info: LossInfo,
) -> ProbeResult:
    """Scores the outputs `[examples, ...]` of the model, and adds the statistics of its layers."""
    finite = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    return ProbeResult(
        step=step,
        epoch=epoch,
        layers=layers,
        **vars(_scores(outputs, loss_info)),
        output_minimum=float(finite.min()) if finite.size else NAN,
        output_maximum=float(finite.max()) if finite.size else NAN,
        output_variation=variation(finite),
    )


def _scores(outputs: np.ndarray, loss_info: LossInfo) -> _Scores:
    targets = loss_info.targets
    if targets is None or outputs.ndim not in (1, 2) or len(targets) != len(outputs):
        return _Scores()
    if not np.isfinite(outputs).all():
        return _Scores()
    predictions = outputs.reshape(len(outputs), -1)
    truth = targets.reshape(len(targets), -1)
    task = infer_task(truth, loss_info.loss)
    if loss_info.loss == "cosine_similarity":
        # It does not constrain the norm of a prediction.
        return _Scores()
    if task == "real":
        is_robust = loss_info.loss in ROBUST_LOSSES
        return _Scores(
            explained_variance=_explained_variance(predictions, truth.astype(float), is_robust)
        )
    if task == "multi-label" or loss_info.loss not in KNOWN_LOSSES:
        return _Scores()
    return _class_scores(predictions, truth, loss_info)


def _explained_variance(predictions: np.ndarray, truth: np.ndarray, is_robust: bool) -> float:
    """Returns R²; for a robust loss, with medians in place of the mean and the sums."""
    if predictions.shape != truth.shape or not truth.size:
        return NAN
    center, total = (np.median, np.median) if is_robust else (np.mean, np.sum)
    with np.errstate(over="ignore"):
        spread = total(np.square(truth - center(truth, axis=0)))
        residual = total(np.square(predictions - truth))
    return float(1 - residual / spread) if spread else NAN


def _class_scores(predictions: np.ndarray, truth: np.ndarray, loss_info: LossInfo) -> _Scores:
    is_margin = loss_info.is_margin_loss
    classes = truth.argmax(axis=1) if truth.shape[1] > 1 else truth[:, 0].astype(int)
    if is_margin:
        # -1 and 1 become 0 and 1.
        classes = np.maximum(classes, 0)
    if predictions.shape[1] == 1:
        threshold = 0.0 if loss_info.from_logits or is_margin else 0.5
        predicted = (predictions[:, 0] > threshold).astype(int)
    else:
        predicted = predictions.argmax(axis=1)
    fractions = np.unique(classes, return_counts=True)[1] / len(classes)
    return _Scores(
        accuracy=float((predicted == classes).mean()),
        majority_fraction=float(fractions.max()),
        crossentropy=NAN if is_margin else _crossentropy(predictions, classes, loss_info),
        baseline_crossentropy=float(-(fractions * np.log(fractions)).sum()),
        num_answers=len(np.unique(predicted)),
    )


def _crossentropy(predictions: np.ndarray, classes: np.ndarray, loss_info: LossInfo) -> float:
    probabilities = _probabilities(predictions, loss_info.from_logits)
    if probabilities is None or classes.min() < 0 or classes.max() >= probabilities.shape[1]:
        return NAN
    of_class = probabilities[np.arange(len(classes)), classes]
    return float(-np.log(np.maximum(of_class, _MIN_PROBABILITY)).mean())


def _probabilities(predictions: np.ndarray, from_logits: bool) -> np.ndarray | None:
    """Returns probabilities `[examples, classes]`; None if the predictions are not probabilities."""
    if predictions.shape[1] == 1:
        other = 0 * predictions if from_logits else 1 - predictions
        predictions = np.concatenate([other, predictions], axis=1)
    if from_logits:
        exponentials = np.exp(predictions - predictions.max(axis=1, keepdims=True))
        return exponentials / exponentials.sum(axis=1, keepdims=True)
    sums_to_one = np.allclose(predictions.sum(axis=1), 1, atol=1e-2)
    return predictions if sums_to_one and predictions.min() >= 0 else None

"""How good the model's answers are; NumPy only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_l4.inspection.activation_stats import variation
from keras_l4.inspection.target_metadata import KNOWN_LOSSES, MARGIN_LOSSES, ROBUST_LOSSES, task_of
from keras_l4.records.annotations import ActivationStats, ProbeResult

NAN = float("nan")
_LEAST = 1e-7


@dataclass(frozen=True)
class LossInfo:
    """What the model was asked.

    Attributes:
        targets: The right answers, `[examples, ...]`, or None if they are not known.
        loss: Name of the loss function.
        from_logits: Whether it takes logits.
    """

    targets: np.ndarray | None
    loss: str
    from_logits: bool

    @property
    def is_of_signs(self) -> bool:
        """Whether only the sign of an answer counts, and it is no probability."""
        return self.loss in MARGIN_LOSSES


@dataclass(frozen=True)
class _Scores:
    """Marks of the answers, as `Response` has them."""

    accuracy: float = NAN
    majority: float = NAN
    crossentropy: float = NAN
    entropy: float = NAN
    explained: float = NAN
    num_answers: int = 0


def response(
    step: int,
    epoch: int,
    layers: tuple[ActivationStats, ...],
    outputs: np.ndarray,
    question: LossInfo,
) -> ProbeResult:
    """How the model answered, by `outputs` `[examples, ...]`."""
    finite = np.atleast_1d(np.nan_to_num(outputs, posinf=0.0, neginf=0.0))
    return ProbeResult(
        step=step,
        epoch=epoch,
        layers=layers,
        **vars(_marks(outputs, question)),
        output_minimum=float(finite.min()) if finite.size else NAN,
        output_maximum=float(finite.max()) if finite.size else NAN,
        output_variation=variation(finite),
    )


def _marks(outputs: np.ndarray, question: LossInfo) -> _Scores:
    targets = question.targets
    if targets is None or outputs.ndim not in (1, 2) or len(targets) != len(outputs):
        return _Scores()
    if not np.isfinite(outputs).all():
        return _Scores()
    answers = outputs.reshape(len(outputs), -1)
    rows = targets.reshape(len(targets), -1)
    task = task_of(rows, question.loss)
    if question.loss == "cosine_similarity":
        # It leaves the length of an answer free.
        return _Scores()
    if task == "real":
        robust = question.loss in ROBUST_LOSSES
        return _Scores(explained=_explained(answers, rows.astype(np.float64), robust))
    if task == "multi-label" or question.loss not in KNOWN_LOSSES:
        return _Scores()
    return _classes(answers, rows, question)


def _explained(answers: np.ndarray, truth: np.ndarray, robust: bool) -> float:
    if answers.shape != truth.shape or not truth.size:
        return NAN
    middle, total = (np.median, np.median) if robust else (np.mean, np.sum)
    with np.errstate(over="ignore"):
        spread = total(np.square(truth - middle(truth, axis=0)))
        residual = total(np.square(answers - truth))
    return float(1 - residual / spread) if spread else NAN


def _classes(answers: np.ndarray, rows: np.ndarray, question: LossInfo) -> _Scores:
    wanted = rows.argmax(axis=1) if rows.shape[1] > 1 else rows[:, 0].astype(int)
    if question.is_of_signs:
        wanted = np.maximum(wanted, 0)
    one = answers.shape[1] == 1
    middle = 0.0 if question.from_logits or question.is_of_signs else 0.5
    given = (answers[:, 0] > middle).astype(int) if one else answers.argmax(axis=1)
    shares = np.unique(wanted, return_counts=True)[1] / len(wanted)
    return _Scores(
        accuracy=float((given == wanted).mean()),
        majority=float(shares.max()),
        crossentropy=NAN if question.is_of_signs else _crossentropy(answers, wanted, question),
        entropy=float(-(shares * np.log(shares)).sum()),
        num_answers=len(np.unique(given)),
    )


def _crossentropy(answers: np.ndarray, wanted: np.ndarray, question: LossInfo) -> float:
    chances = _chances(answers, question.from_logits)
    if chances is None or wanted.min() < 0 or wanted.max() >= chances.shape[1]:
        return NAN
    right = chances[np.arange(len(wanted)), wanted]
    return float(-np.log(np.maximum(right, _LEAST)).mean())


def _chances(answers: np.ndarray, from_logits: bool) -> np.ndarray | None:
    """Probabilities `[examples, classes]`; None if the answers are no such thing."""
    if answers.shape[1] == 1:
        answers = np.concatenate(
            [0 * answers, answers] if from_logits else [1 - answers, answers], 1
        )
    if from_logits:
        powers = np.exp(answers - answers.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)
    sums_to_one = np.allclose(answers.sum(axis=1), 1, atol=1e-2)
    return answers if sums_to_one and answers.min() >= 0 else None

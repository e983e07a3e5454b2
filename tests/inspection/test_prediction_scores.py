"""Prediction scores: only what the loss constrains is scored."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest

from keras_l4.inspection.prediction_scores import LossInfo, probe_result
from keras_l4.inspection.target_metadata import KNOWN_LOSSES, target_metadata

pytestmark = pytest.mark.any_backend

# Correct, correct, wrong, correct by sign; all of them far from the targets.
PREDICTIONS = np.array([[5.0], [-3.0], [2.0], [0.2]])
SIGNS = np.array([[1.0], [-1.0], [-1.0], [1.0]])


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("targets", [SIGNS, (SIGNS + 1) / 2, SIGNS.astype(int)])
def test_predictions_for_a_margin_loss_are_scored_by_their_sign(
    loss: str, targets: np.ndarray
) -> None:
    scores = probe_result(1, 0, (), PREDICTIONS, LossInfo(targets, loss, from_logits=False))
    assert (scores.accuracy, scores.majority_fraction) == (0.75, 0.5)
    assert np.isnan([scores.explained_variance, scores.crossentropy]).all()
    metadata = target_metadata(targets, loss)
    assert (metadata.task, metadata.num_classes, metadata.majority_fraction) == ("binary", 2, 0.5)


def test_predictions_for_real_targets_are_scored_by_explained_variance() -> None:
    scores = probe_result(
        1, 0, (), PREDICTIONS, LossInfo(SIGNS, "mean_squared_error", from_logits=False)
    )
    assert scores.explained_variance == 1 - (16 + 4 + 9 + 0.64) / 4


def test_predictions_for_cosine_similarity_have_no_explained_variance() -> None:
    truth = np.random.default_rng(0).normal(size=(8, 3))
    scores = probe_result(
        1, 0, (), 9 * truth, LossInfo(truth, "cosine_similarity", from_logits=False)
    )
    assert np.isnan(scores.explained_variance)


def test_predictions_for_a_custom_loss_are_not_scored() -> None:
    """A contrastive loss: targets are 1 for equal pairs, predictions are distances."""
    distances = np.array([[0.1], [2.0], [0.2], [1.5]])
    scores = probe_result(
        1, 0, (), distances, LossInfo(1 - SIGNS.clip(0), "contrastive", from_logits=False)
    )
    assert np.isnan([scores.accuracy, scores.majority_fraction, scores.explained_variance]).all()


@pytest.mark.parametrize("loss", ["huber", "log_cosh", "mean_absolute_error"])
def test_outliers_among_targets_do_not_dominate_the_score_of_a_robust_loss(loss: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(100, 1))
    predictions = truth + 0.1 * rng.normal(size=(100, 1))
    truth[::25] += 500.0

    def explained(loss: str) -> float:
        return probe_result(
            1, 0, (), predictions, LossInfo(truth, loss, from_logits=False)
        ).explained_variance

    assert explained(loss) == pytest.approx(0.99, abs=0.01)
    assert explained("mean_squared_error") < 0.1


def test_known_losses_are_losses_of_keras() -> None:
    classes = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in dir(keras.losses)}
    assert set(KNOWN_LOSSES) <= classes | set(dir(keras.losses))

"""Marks of answers: only what the loss asks for counts."""

from __future__ import annotations

import re

import keras
import numpy as np
import pytest

from keras_l4.inspection.prediction_scores import LossInfo, response
from keras_l4.inspection.target_metadata import KNOWN_LOSSES, target_facts

pytestmark = pytest.mark.any_backend

# Right, right, wrong, right; far from the targets all the same.
ANSWERS = np.array([[5.0], [-3.0], [2.0], [0.2]])
SIGNS = np.array([[1.0], [-1.0], [-1.0], [1.0]])


@pytest.mark.parametrize("loss", ["hinge", "squared_hinge"])
@pytest.mark.parametrize("targets", [SIGNS, (SIGNS + 1) / 2, SIGNS.astype(int)])
def test_of_a_margin_the_sign_counts(loss: str, targets: np.ndarray) -> None:
    marks = response(1, 0, (), ANSWERS, LossInfo(targets, loss, from_logits=False))
    assert (marks.accuracy, marks.majority) == (0.75, 0.5)
    assert np.isnan([marks.explained, marks.crossentropy]).all()
    facts = target_facts(targets, loss)
    assert (facts.task, facts.num_classes, facts.majority) == ("binary", 2, 0.5)


def test_of_real_targets_the_explained_variance_counts() -> None:
    marks = response(1, 0, (), ANSWERS, LossInfo(SIGNS, "mean_squared_error", from_logits=False))
    assert marks.explained == 1 - (16 + 4 + 9 + 0.64) / 4


def test_of_a_direction_the_length_does_not_count() -> None:
    truth = np.random.default_rng(0).normal(size=(8, 3))
    marks = response(1, 0, (), 9 * truth, LossInfo(truth, "cosine_similarity", from_logits=False))
    assert np.isnan(marks.explained)


def test_what_a_loss_of_the_users_own_wants_is_not_known() -> None:
    """A contrastive one: targets say whether two are the same, answers how far they are apart."""
    apart = np.array([[0.1], [2.0], [0.2], [1.5]])
    marks = response(1, 0, (), apart, LossInfo(1 - SIGNS.clip(0), "contrastive", from_logits=False))
    assert np.isnan([marks.accuracy, marks.majority, marks.explained]).all()


@pytest.mark.parametrize("loss", ["huber", "log_cosh", "mean_absolute_error"])
def test_gross_errors_do_not_count_for_more_where_the_loss_shrugs_at_them(loss: str) -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(100, 1))
    answers = truth + 0.1 * rng.normal(size=(100, 1))
    truth[::25] += 500.0

    def explained(loss: str) -> float:
        return response(1, 0, (), answers, LossInfo(truth, loss, from_logits=False)).explained

    assert explained(loss) == pytest.approx(0.99, abs=0.01)
    assert explained("mean_squared_error") < 0.1


def test_the_known_losses_are_of_keras() -> None:
    classes = {re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name in dir(keras.losses)}
    assert set(KNOWN_LOSSES) <= classes | set(dir(keras.losses))

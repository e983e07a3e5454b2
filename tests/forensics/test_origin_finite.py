"""Steps that are finite, or raise an error."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.origin import find_origin
from tests.forensics import faulty
from tests.forensics.faulty import ARCHITECTURES, FEATURES
from tests.forensics.steps import ROWS, TARGETS, dense, inputs_of, state_bytes


class Attention(layers.Layer):
    """Causal attention; the scores of later positions are -Inf."""

    def call(self, x: Any) -> Any:
        scores = ops.matmul(x, ops.swapaxes(x, 1, 2))
        is_visible = ops.tril(ops.ones_like(scores)) > 0
        return ops.matmul(ops.softmax(ops.where(is_visible, scores, -np.inf)), x)


FINITE = {
    "normalized": lambda: [dense(4), layers.BatchNormalization(), layers.Dropout(0.5), dense()],
    "rectified": lambda: [dense(4, activation="relu"), layers.GaussianNoise(0.1), dense()],
    "probabilities": lambda: [dense(4), dense(activation="sigmoid")],
}


@pytest.mark.parametrize("architecture", ARCHITECTURES[:3])
@pytest.mark.parametrize("name", list(FINITE))
def test_finite_step_has_no_origin(name: str, architecture: str) -> None:
    model = faulty.build(FINITE[name](), architecture)
    before = state_bytes(model)
    origin, (loss, gradients, _) = find_origin(model, inputs_of(), TARGETS)
    assert state_bytes(model) == before
    assert origin is None
    assert np.isfinite(loss)
    assert len(gradients) == len(model.trainable_variables)


def test_finite_step_of_a_sequence_model_has_no_origin() -> None:
    stack = [
        layers.Embedding(9, 4, mask_zero=True),
        layers.LSTM(4, return_sequences=True),
        layers.GRU(4, return_sequences=True),
        layers.LayerNormalization(),
        Attention(),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, activation="softmax"),
    ]
    model = faulty.build(stack, shape=(5,), loss="sparse_categorical_crossentropy")
    tokens = np.arange(ROWS * 5).reshape(ROWS, 5) % 9
    before = state_bytes(model)
    origin, _ = find_origin(model, tokens, np.arange(ROWS) % 3)
    assert origin is None
    assert state_bytes(model) == before


def test_attention_mask_is_no_origin() -> None:
    inputs = keras.Input((5, 4))
    attended = layers.MultiHeadAttention(2, 4)(inputs, inputs, use_causal_mask=True)
    model = keras.Model(inputs, dense()(layers.GlobalAveragePooling1D()(attended)))
    model.compile("sgd", "mse")
    assert find_origin(model, np.ones((ROWS, 5, 4), "float32"), TARGETS)[0] is None


def test_metrics_of_several_losses_stay_zero() -> None:
    inputs = keras.Input((FEATURES,))
    model = keras.Model(inputs, {"a": dense()(inputs), "b": dense()(inputs)})
    model.compile("sgd", {"a": "mse", "b": "mae"}, metrics={"a": ["mae"]})
    assert find_origin(model, inputs_of(), {"a": TARGETS, "b": TARGETS})[0] is None
    assert model.metrics_variables
    assert all(not np.any(ops.convert_to_numpy(v.value)) for v in model.metrics_variables)


def test_failing_step_restores_the_model_and_keras() -> None:
    class Fails(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                raise RuntimeError("planted")
            return x

    called = layers.Layer.__call__
    model = faulty.build([layers.BatchNormalization(), layers.Dropout(0.5), Fails(), dense()])
    before = state_bytes(model)
    with pytest.raises(RuntimeError, match="planted"):
        find_origin(model, inputs_of(), TARGETS)
    assert state_bytes(model) == before
    assert layers.Layer.__call__ is called
    assert "call" not in vars(model)
    assert find_origin(faulty.build([dense()]), inputs_of(), TARGETS)[0] is None

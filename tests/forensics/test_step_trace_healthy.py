"""Steps that are finite, or fail, on each backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_l4.forensics.step_trace import birth
from tests.forensics import sick
from tests.forensics.sick import ARCHITECTURES, FEATURES
from tests.forensics.steps import ROWS, Y, dense, states, x


class Attention(layers.Layer):
    """Scores of -Inf where not to look."""

    def call(self, x: Any) -> Any:
        scores = ops.matmul(x, ops.swapaxes(x, 1, 2))
        seen = ops.tril(ops.ones_like(scores)) > 0
        return ops.matmul(ops.softmax(ops.where(seen, scores, -np.inf)), x)


HEALTHY = {
    "normalized": lambda: [dense(4), layers.BatchNormalization(), layers.Dropout(0.5), dense()],
    "rectified": lambda: [dense(4, activation="relu"), layers.GaussianNoise(0.1), dense()],
    "probabilities": lambda: [dense(4), dense(activation="sigmoid")],
}


@pytest.mark.parametrize("kind", ARCHITECTURES[:3])
@pytest.mark.parametrize("name", list(HEALTHY))
def test_healthy(name: str, kind: str) -> None:
    network = sick.model(HEALTHY[name](), kind)
    before = states(network)
    found, (loss, gradients, _) = birth(network, x(), Y)
    assert states(network) == before
    assert found is None
    assert np.isfinite(loss)
    assert len(gradients) == len(network.trainable_variables)


def test_healthy_sequences() -> None:
    stack = [
        layers.Embedding(9, 4, mask_zero=True),
        layers.LSTM(4, return_sequences=True),
        layers.GRU(4, return_sequences=True),
        layers.LayerNormalization(),
        Attention(),
        layers.GlobalMaxPooling1D(),
        layers.Dense(3, activation="softmax"),
    ]
    network = sick.model(stack, shape=(5,), loss="sparse_categorical_crossentropy")
    tokens = np.arange(ROWS * 5).reshape(ROWS, 5) % 9
    before = states(network)
    found, _ = birth(network, tokens, np.arange(ROWS) % 3)
    assert found is None
    assert states(network) == before


def test_healthy_attention_with_a_mask() -> None:
    inputs = keras.Input((5, 4))
    attended = layers.MultiHeadAttention(2, 4)(inputs, inputs, use_causal_mask=True)
    network = keras.Model(inputs, dense()(layers.GlobalAveragePooling1D()(attended)))
    network.compile("sgd", "mse")
    assert birth(network, np.ones((ROWS, 5, 4), "float32"), Y)[0] is None


def test_metrics_of_several_losses_are_left_at_zero() -> None:
    inputs = keras.Input((FEATURES,))
    network = keras.Model(inputs, {"a": dense()(inputs), "b": dense()(inputs)})
    network.compile("sgd", {"a": "mse", "b": "mae"}, metrics={"a": ["mae"]})
    assert birth(network, x(), {"a": Y, "b": Y})[0] is None
    assert network.metrics_variables
    assert all(not np.any(ops.convert_to_numpy(v.value)) for v in network.metrics_variables)


def test_a_step_that_fails_leaves_no_trace() -> None:
    class Fails(layers.Layer):
        def call(self, x: Any, training: bool = False) -> Any:
            if training:
                raise RuntimeError("planted")
            return x

    called = layers.Layer.__call__
    network = sick.model([layers.BatchNormalization(), layers.Dropout(0.5), Fails(), dense()])
    before = states(network)
    with pytest.raises(RuntimeError, match="planted"):
        birth(network, x(), Y)
    assert states(network) == before
    assert layers.Layer.__call__ is called
    assert "call" not in vars(network)
    assert birth(sick.model([dense()]), x(), Y)[0] is None

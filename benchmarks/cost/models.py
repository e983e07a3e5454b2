"""The models with a speed budget, and two for accelerators.

Their data are synthetic, so no network is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial

import keras
import numpy as np
from keras import layers

# Keras traverses a chain of layers recursively, and Python limits recursion to 1000 calls.
_MAX_CHAIN = 500

# So small that the weights hardly change: a step then costs the same in all rounds.
LEARNING_RATE = 1e-6

Architecture = Callable[[], tuple[keras.KerasTensor, keras.KerasTensor]]


@dataclass(frozen=True)
class Workload:
    """A model to train and the batch size it is trained with."""

    name: str
    architecture: Architecture
    batch_size: int
    policy: str = "float32"

    def compiled(self, model_class: type[keras.Model]) -> keras.Model:
        """Returns a compiled model, with the same weights at every call."""
        keras.utils.set_random_seed(0)
        with _policy(self.policy):
            model = model_class(*self.architecture())
        model.compile(keras.optimizers.Adam(LEARNING_RATE), "sparse_categorical_crossentropy")
        return model


@contextmanager
def _policy(name: str) -> Iterator[None]:
    previous = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(previous)


@lru_cache(maxsize=2)
def synthetic_data(shape: tuple[int, ...], samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns uniform float32 inputs `[samples, *shape]` and int32 labels `[samples]` of ten classes."""
    rng = np.random.default_rng(0)
    inputs = rng.random((samples, *shape), dtype=np.float32)
    return inputs, rng.integers(0, 10, samples, dtype=np.int32)


def _dense(units: int, initializer: str = "he_normal") -> layers.Dense:
    return layers.Dense(units, activation="relu", kernel_initializer=initializer)


def _conv(filters: int) -> layers.Conv2D:
    return layers.Conv2D(filters, 3, activation="relu", kernel_initializer="he_normal")


def _classifier(
    shape: tuple[int, ...], hidden: list[layers.Layer]
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    inputs = keras.Input(shape)
    return inputs, layers.Dense(10, activation="softmax")(_apply_chain(hidden, inputs))


def _apply_chain(chain: list[layers.Layer], outputs: keras.KerasTensor) -> keras.KerasTensor:
    for layer in chain:
        outputs = layer(outputs)
    return outputs


def _cnn() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    pooled = [_conv(16), layers.MaxPooling2D(), _conv(32), layers.MaxPooling2D()]
    return _classifier((28, 28, 1), [*pooled, layers.Flatten()])


def _mlp() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return _classifier((784,), [_dense(128), _dense(64)])


def _deep() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return _classifier((784,), [_dense(128) for _ in range(50)])


def _narrow(variables: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    # The identity carries signal and gradient through any number of layers at full size.
    hidden = [_dense(16, "identity") for _ in range(variables // 2 - 1)]
    chains = [hidden[i : i + _MAX_CHAIN] for i in range(0, len(hidden), _MAX_CHAIN)]
    inputs = keras.Input((16,))
    ends = [_apply_chain(chain, inputs) for chain in chains]
    outputs = layers.Average()(ends) if len(ends) > 1 else ends[0]
    return inputs, layers.Dense(10, activation="softmax")(outputs)


def _wide(units: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    return _classifier((units,), [_dense(units)])


def _resnet50() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    # Small images, enlarged on the device, since the transfer should not dominate the step.
    inputs = keras.Input((56, 56, 3))
    images = layers.UpSampling2D(4)(inputs)
    body = keras.applications.ResNet50(weights=None, classes=10, input_tensor=images)
    return inputs, body.output


def _transformer() -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Eight blocks of width 512 with eight heads, for sequences of 256 out of 8192 tokens."""
    inputs = keras.Input((256,))
    # In float32, since bfloat16 represents only a few hundred tokens exactly.
    tokens = layers.Rescaling(8191.0, dtype="float32")(inputs)
    x = layers.Embedding(8192, 512)(tokens)
    for _ in range(8):
        attended = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(8, 64)(attended, attended)])
        wide = layers.Dense(2048, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(512)(wide)])
    pooled = layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))
    return inputs, layers.Dense(10, activation="softmax", dtype="float32")(pooled)


MODELS = {
    "cnn": Workload("cnn", _cnn, batch_size=128),
    "mlp": Workload("mlp", _mlp, batch_size=32),
    "deep": Workload("deep", _deep, batch_size=128),
    "resnet50": Workload("resnet50", _resnet50, batch_size=64, policy="mixed_bfloat16"),
    "transformer": Workload("transformer", _transformer, batch_size=32, policy="mixed_bfloat16"),
}


def scaling(is_traced: bool) -> list[Workload]:
    """Returns models with a growing number of variables, then of parameters.

    Args:
        is_traced: Whether the backend traces or compiles the step, which takes too long for 5000
            variables.
    """
    counts = (10, 100, 1000) if is_traced else (10, 100, 1000, 5000)
    narrow = [Workload(f"narrow-{n}", partial(_narrow, n), batch_size=32) for n in counts]
    sizes = {"1 M": 1000, "10 M": 3160, "100 M": 10000}
    wide = [Workload(f"wide-{n}", partial(_wide, w), batch_size=8) for n, w in sizes.items()]
    return narrow + wide

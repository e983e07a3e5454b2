"""Broken programs written without sight of the rules; the first code of each is its fault."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from sklearn import datasets

from benchmarks.diagnosis.program import (
    Program,
    cancer,
    compiled,
    diabetes,
    digits,
    faulty,
    hot,
    images,
    moons,
    rings,
    sequences,
    stack,
    standard,
    surface,
    tokens,
    wine,
)

SGD = keras.optimizers.SGD
Adam = keras.optimizers.Adam
Dense = layers.Dense
CROSS = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def hidden(number: int, width: int, activation: Any = "relu", **options: Any) -> list[Any]:
    return [Dense(width, activation=activation, **options) for _ in range(number)]


def gaussian(deviation: float, mean: float = 0.0) -> Any:
    return keras.initializers.RandomNormal(mean, deviation)


def first_word(number: int = 600, length: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """The class is what the sequence began with."""
    rng = np.random.default_rng(21)
    x = rng.normal(size=(number, length, 2)).astype("float32")
    return x, (x[:, 0, 0] > 0).astype("float32")


def houses(number: int = 600) -> tuple[np.ndarray, np.ndarray]:
    """Area in square feet, rooms, year, distance in metres, and the price (standardized)."""
    rng = np.random.default_rng(22)
    area = rng.uniform(500, 6000, number)
    rooms = rng.integers(1, 9, number)
    year = rng.integers(1900, 2020, number)
    distance = rng.uniform(100, 40000, number)
    price = 3e-4 * area + 0.3 * rooms + 0.01 * (year - 1960) - 3e-5 * distance
    price = price + 0.1 * rng.normal(size=number)
    return np.stack([area, rooms, year, distance], 1).astype("float32"), standard(price[:, None])


def prices(number: int = 400, length: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Windows of a wave in currency units, and the next value."""
    rng = np.random.default_rng(23)
    t = np.arange(number + length)
    series = 20000 + 6000 * np.sin(t / 7) + 200 * rng.normal(size=t.size)
    x = np.stack([series[i : i + length] for i in range(number)])[..., None]
    return x.astype("float32"), series[length:, None].astype("float32")


# vanishing-gradient


@faulty("vanishing-gradient", "poor-initialization", "plateau")
def tanh_tower_with_small_normal_weights() -> Program:
    x, y = digits()
    tower = hidden(10, 32, "tanh", kernel_initializer=gaussian(0.05))
    model = stack((64,), *tower, Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.1), CROSS, "accuracy"), x, y, epochs=8)


@faulty("vanishing-gradient", "plateau", "saturated-layer")
def sigmoid_autoencoder() -> Program:
    x, _ = digits()
    sizes = (48, 32, 16, 8, 16, 32, 48)
    coder = [Dense(size, activation="sigmoid") for size in sizes]
    model = stack((64,), *coder, Dense(64, activation="sigmoid"))
    return Program(compiled(model, SGD(0.5, momentum=0.9), "mse"), x, x, epochs=8)


@faulty("vanishing-gradient", "plateau", "wrong-output-or-loss")
def softmax_in_every_layer() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(4, 32, "softmax"), Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.1, momentum=0.9), CROSS, "accuracy"), x, y, epochs=8)


@faulty("vanishing-gradient", "plateau", "saturated-layer")
def hard_sigmoid_tower() -> Program:
    x, y = wine()
    model = stack((13,), *hidden(9, 24, "hard_sigmoid"), Dense(3, activation="softmax"))
    return Program(compiled(model, "rmsprop", CROSS, "accuracy"), x, y, epochs=40)


@faulty("vanishing-gradient", "plateau")
def recurrence_that_forgets() -> Program:
    # Nothing of the first step is left after 30.
    x, y = first_word(length=30)
    x[:, 1:] *= 0.1
    cell = layers.SimpleRNN(16, recurrent_initializer=keras.initializers.Orthogonal(0.5))
    model = stack((30, 2), cell, Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.05), BINARY, "accuracy"), x, y, epochs=10)


@faulty("vanishing-gradient", "plateau", "poor-initialization")
def elu_convolutions_with_tiny_kernels() -> Program:
    x, y = images()
    tower = [
        layers.Conv2D(8, 3, padding="same", activation="elu", kernel_initializer=gaussian(0.02))
        for _ in range(6)
    ]
    model = stack((8, 8, 1), *tower, layers.Flatten(), Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.01, momentum=0.9), CROSS, "accuracy"), x, y, epochs=4)


# exploding-gradient


@faulty("exploding-gradient", "nonfinite", "poor-initialization", "learning-rate-too-high")
def linear_tower_with_double_weights() -> Program:
    x, y = surface()
    initializer = keras.initializers.VarianceScaling(6.0)
    tower = hidden(10, 32, "relu", kernel_initializer=initializer)
    model = stack((6,), *tower, Dense(1))
    return Program(compiled(model, SGD(0.001), "mse"), x, y, epochs=5)


@faulty("exploding-gradient", "nonfinite", "poor-initialization", "learning-rate-too-high")
def residual_blocks_without_normalization() -> Program:
    # Each block doubles the variance more than twice; there are 24.
    x, y = diabetes()
    inputs = keras.Input((10,))
    h = Dense(32)(inputs)
    for _ in range(24):
        inner = Dense(32, activation="relu", kernel_initializer="he_normal")(h)
        h = layers.Add()([h, Dense(32, kernel_initializer="he_normal")(inner)])
    model = keras.Model(inputs, Dense(1)(h))
    return Program(compiled(model, SGD(0.01), "mse"), x, y, epochs=8)


@faulty("exploding-gradient", "nonfinite", "learning-rate-too-high", "poor-initialization")
def relu_recurrence_over_fifty_steps() -> Program:
    x, y = first_word(length=50)
    cell = layers.SimpleRNN(
        24, activation="relu", recurrent_initializer=keras.initializers.Identity(1.4)
    )
    model = stack((50, 2), cell, Dense(1))
    return Program(compiled(model, SGD(0.01), "mse"), x, y, epochs=5)


@faulty("exploding-gradient", "nonfinite", "learning-rate-too-high", "wrong-output-or-loss")
def counts_through_an_exponential() -> Program:
    # exp of an unbounded output, squared.
    x, y = surface(features=6)
    y = np.exp(2 + y)
    model = stack((6,), *hidden(2, 32), Dense(1, activation="exponential"))
    return Program(compiled(model, SGD(0.01), "mse"), x, y, epochs=8)


@faulty("exploding-gradient", "nonfinite", "wrong-output-or-loss", "learning-rate-too-high")
def a_loss_with_the_wrong_sign() -> Program:
    def score(y_true: Any, y_pred: Any) -> Any:
        return -ops.mean(ops.square(y_true - y_pred), axis=-1)

    x, y = diabetes()
    model = stack((10,), *hidden(2, 32), Dense(1))
    return Program(compiled(model, SGD(0.01), score), x, y, epochs=12)


@faulty("exploding-gradient", "poor-initialization", "learning-rate-too-low")
def a_recurrence_that_is_clipped_in_vain() -> Program:
    # Every step is cut to length 0.01, of a gradient that grows from step to step in time.
    x, y = first_word(length=40)
    grow = keras.initializers.Identity(1.3)
    cell = layers.SimpleRNN(16, activation="linear", recurrent_initializer=grow)
    model = stack((40, 2), cell, Dense(1))
    return Program(compiled(model, SGD(0.1, clipnorm=0.1), "mse"), x, y, epochs=8)


# nonfinite


@faulty("nonfinite")
def a_target_is_missing() -> Program:
    x, y = diabetes()
    y[200] = np.nan
    model = stack((10,), *hidden(2, 32), Dense(1))
    return Program(compiled(model, "adam", "mae"), x, y, epochs=5)


@faulty("nonfinite")
def a_ratio_with_zero_below() -> Program:
    x, y = cancer()
    x[17, 4] = np.inf
    model = stack((30,), layers.BatchNormalization(), *hidden(1, 16), Dense(1, "sigmoid"))
    return Program(compiled(model, "rmsprop", BINARY), x, y, epochs=5)


@faulty("nonfinite")
def handwritten_cross_entropy() -> Program:
    def loss(y_true: Any, y_pred: Any) -> Any:
        return -ops.sum(y_true * ops.log(y_pred), axis=-1)

    # The ReLU's zeros go into the logarithm.
    x, y = digits()
    model = stack((64,), *hidden(1, 32), Dense(10, activation="relu"))
    return Program(compiled(model, "adam", loss, "accuracy"), x, hot(y), epochs=5)


@faulty("nonfinite")
def twins_at_no_distance() -> Program:
    # Some pairs are a digit and itself; the root has no derivative there.
    rng = np.random.default_rng(24)
    x, y = digits()
    left = rng.integers(0, len(x), 800)
    right = rng.integers(0, len(x), 800)
    right[:100] = left[:100]
    a, b = keras.Input((64,)), keras.Input((64,))
    tower = stack((64,), Dense(32, activation="relu"), Dense(8))
    distance = ops.sqrt(ops.sum(ops.square(tower(a) - tower(b)), axis=1, keepdims=True))
    model = keras.Model([a, b], distance)
    same = (y[left] == y[right]).astype("float32")

    def contrastive(y_true: Any, y_pred: Any) -> Any:
        far = ops.square(ops.maximum(1.0 - y_pred, 0.0))
        return y_true * y_pred + (1.0 - y_true) * far

    model = compiled(model, Adam(1e-3), contrastive)
    return Program(model, [x[left], x[right]], same[:, None], epochs=5)


@faulty("nonfinite")
def percentage_of_nothing() -> Program:
    def percentage(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.abs((y_true - y_pred) / y_true), axis=-1)

    x, y = surface()
    y[::50] = 0.0
    model = stack((6,), *hidden(2, 16), Dense(1))
    return Program(compiled(model, Adam(1e-3), percentage), x, y, epochs=5)


@faulty("nonfinite")
def weights_of_absent_classes() -> Program:
    # 0 examples weigh 1 / 0, and 0 × ∞ is NaN.
    x, y = wine()
    with np.errstate(divide="ignore"):
        each = (1.0 / np.bincount(y, minlength=4)).astype("float32")

    def weighted(y_true: Any, y_pred: Any) -> Any:
        return -ops.sum(y_true * each * ops.log(y_pred + 1e-7), axis=-1)

    model = stack((13,), *hidden(1, 16), Dense(4, activation="softmax"))
    labels = np.eye(4, dtype="float32")[y]
    return Program(compiled(model, "nadam", weighted), x, labels, epochs=5)


@faulty("nonfinite", policy="float64")
def mean_over_an_empty_mask() -> Program:
    x, y = tokens()
    x[:, :] = np.where(x < 300, x, 0)
    inputs = keras.Input((20,), dtype="int32")
    known = ops.cast(ops.expand_dims(inputs > 0, -1), "float64")
    h = layers.Embedding(300, 8)(inputs) * known
    h = ops.sum(h, axis=1) / ops.sum(known, axis=1)
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(h))
    return Program(compiled(model, "adam", BINARY), x, y, epochs=3)


@faulty("nonfinite", "unscaled-inputs", "exploding-gradient")
def variance_as_an_exponential_of_raw_features() -> Program:
    # A Gaussian likelihood whose log variance comes from the year and the area.
    def likelihood(y_true: Any, y_pred: Any) -> Any:
        mean, spread = y_pred[:, :1], y_pred[:, 1:]
        return ops.square(y_true - mean) * ops.exp(-spread) + spread

    x, y = houses()
    model = stack((4,), *hidden(1, 16), Dense(2))
    return Program(compiled(model, Adam(1e-3), likelihood), x, y, epochs=5)


# underflow


@faulty("underflow", "plateau", "learning-rate-too-low", policy="mixed_float16")
def half_precision_without_a_loss_scale() -> Program:
    # Targets in kilometres, of millimetres: the gradients are below float16's smallest number.
    def squared(y_true: Any, y_pred: Any) -> Any:
        return ops.mean(ops.square(y_true - 1e-4 * ops.cast(y_pred, "float32")), axis=-1)

    x, y = surface(scale=1e-4)
    model = stack((6,), *hidden(3, 32, "tanh"), Dense(1))
    model = compiled(model, Adam(1e-2, epsilon=1e-12), squared, auto_scale_loss=False)
    return Program(model, x, y, epochs=6)


@faulty("underflow", "plateau", "learning-rate-too-low", policy="mixed_float16")
def half_precision_and_a_small_loss_weight() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Flatten(),
        Dense(32, activation="relu"),
        Dense(10, activation="softmax", dtype="float32"),
    )
    optimizer = keras.optimizers.RMSprop(1e-3, epsilon=1e-14)
    options = {"loss_weights": [1e-8], "auto_scale_loss": False}
    model = compiled(model, optimizer, CROSS, "accuracy", **options)
    return Program(model, x, y, epochs=4)


@faulty("underflow", "learning-rate-too-low", policy="bfloat16")
def brain_floats_and_careful_steps() -> Program:
    # Steps of 1e-4 do not change weights of about 0.1 that have 8 bits.
    x, y = digits()
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(1e-4), CROSS, "accuracy"), x, y, epochs=10)


@faulty("underflow", "nonfinite", "learning-rate-too-high", policy="float16")
def adam_in_pure_half_precision() -> Program:
    # Squares of the gradients are zero, and so is epsilon, nearly.
    x, y = cancer()
    model = stack((30,), *hidden(2, 32), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(1e-3, epsilon=1e-8), BINARY, "accuracy"), x, y, epochs=5)


@faulty("underflow", "learning-rate-too-low")
def an_epsilon_of_one_for_a_small_loss() -> Program:
    x, y = surface(scale=1e-3)
    model = stack((6,), *hidden(2, 32, "tanh"), Dense(1, kernel_initializer=gaussian(1e-4)))
    return Program(compiled(model, Adam(1e-3, epsilon=1.0), "mse"), x, y, epochs=10)


@faulty("underflow", "learning-rate-too-low", policy="float16")
def half_precision_and_tiny_steps() -> Program:
    x, y = rings()
    model = stack((2,), *hidden(2, 32, "tanh"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(2e-4), BINARY, "accuracy"), x, y, epochs=10)


# loss-scale-stall


@faulty("loss-scale-stall", "nonfinite", "unscaled-inputs", policy="mixed_float16")
def salaries_in_half_precision() -> Program:
    # Features above 65504 are ∞ as soon as they are cast.
    x, y = cancer()
    x = 80000 + 30000 * x
    model = stack((30,), *hidden(2, 16), Dense(1, activation="sigmoid", dtype="float32"))
    return Program(compiled(model, "adam", BINARY, "accuracy"), x, y, epochs=5)


@faulty("loss-scale-stall", "nonfinite", policy="mixed_float16")
def gaps_in_half_precision() -> Program:
    x, y = wine()
    x[::7, 2] = np.nan
    model = stack((13,), *hidden(1, 32), Dense(3, activation="softmax", dtype="float32"))
    return Program(compiled(model, SGD(0.1), CROSS, "accuracy"), x, y, epochs=12)


@faulty("loss-scale-stall", "nonfinite", policy="mixed_float16")
def a_mask_of_minus_infinity() -> Program:
    # −1e9 is −∞ in float16, and some rows are all padding.
    x, y = tokens()
    x[::10] = 0
    inputs = keras.Input((20,), dtype="int32")
    h = layers.Embedding(3000, 16)(inputs)
    scores = Dense(1)(h)
    mask = ops.cast(ops.expand_dims(ops.equal(inputs, 0), -1), "float16")
    weights = ops.softmax(scores - 1e9 * mask, axis=1)
    h = ops.sum(weights * h, axis=1)
    model = keras.Model(inputs, Dense(1, activation="sigmoid", dtype="float32")(h))
    return Program(compiled(model, "adam", BINARY, "accuracy"), x, y, epochs=4)


@faulty("loss-scale-stall", "nonfinite", "exploding-gradient", policy="mixed_float16")
def energies_that_overflow() -> Program:
    x, y = digits()
    inputs = keras.Input((64,))
    h = Dense(64, activation="relu")(inputs * 300.0)
    h = ops.concatenate([h, ops.square(h)], axis=1)
    model = keras.Model(inputs, Dense(10, activation="softmax", dtype="float32")(h))
    return Program(compiled(model, Adam(1e-3), CROSS, "accuracy"), x, y, epochs=4)


@faulty("loss-scale-stall", "nonfinite", "exploding-gradient", policy="mixed_float16")
def a_scale_beyond_all_measure() -> Program:
    x, y = rings()
    model = stack((2,), *hidden(2, 16), Dense(1, activation="sigmoid", dtype="float32"))
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(1e-2), initial_scale=2.0**120)
    return Program(compiled(model, optimizer, BINARY, "accuracy"), x, y, epochs=3)


# learning-rate-too-high


@faulty("learning-rate-too-high", "oscillation", "dead-layer", "plateau", "exploding-gradient")
def images_with_a_hundredfold_rate() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        Dense(32, activation="relu"),
        Dense(10, activation="softmax"),
    )
    return Program(compiled(model, Adam(0.5), CROSS, "accuracy"), x, y, epochs=5)


@faulty("learning-rate-too-high", "oscillation", "saturated-layer", "plateau")
def lstm_with_a_rate_of_one() -> Program:
    x, y = sequences()
    model = stack((16, 3), layers.LSTM(16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(1.0), BINARY, "accuracy"), x, y, epochs=8)


@faulty("learning-rate-too-high", "oscillation", "plateau")
def lion_with_the_rate_of_sgd() -> Program:
    x, y = surface()
    model = stack((6,), *hidden(2, 32, "gelu"), Dense(1))
    return Program(compiled(model, keras.optimizers.Lion(0.1), "mse"), x, y, epochs=10)


@faulty("learning-rate-too-high", "oscillation", "saturated-layer", "plateau")
def a_transformer_at_a_rate_for_perceptrons() -> Program:
    x, y = tokens()
    inputs = keras.Input((20,), dtype="int32")
    h = layers.Embedding(3000, 16)(inputs)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 8)(h, h))
    h = layers.LayerNormalization()(h + Dense(16)(Dense(32, activation="relu")(h)))
    h = layers.GlobalAveragePooling1D()(h)
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(h))
    return Program(compiled(model, Adam(0.5), BINARY, "accuracy"), x, y, epochs=5)


@faulty("learning-rate-too-high", "nonfinite", "exploding-gradient", "oscillation")
def least_squares_with_a_rate_of_a_half() -> Program:
    # The largest curvature, about 8, allows 0.25.
    x, y = diabetes()
    model = stack((10,), Dense(1))
    return Program(compiled(model, SGD(0.5), "mse"), x, y, epochs=8, batch_size=64)


@faulty("learning-rate-too-high", "oscillation", "exploding-gradient", "plateau")
def a_warm_up_to_a_thousand_times_too_much() -> Program:
    x, y = digits()
    rate = keras.optimizers.schedules.PolynomialDecay(1e-3, 200, end_learning_rate=1.0)
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    return Program(compiled(model, keras.optimizers.RMSprop(rate), CROSS, "accuracy"), x, y)


# learning-rate-too-low


@faulty("learning-rate-too-low")
def adadelta_as_it_comes() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    return Program(compiled(model, keras.optimizers.Adadelta(), CROSS, "accuracy"), x, y)


@faulty("learning-rate-too-low")
def lstm_at_a_millionth() -> Program:
    x, y = sequences()
    model = stack((16, 3), layers.LSTM(16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(1e-6), BINARY, "accuracy"), x, y, epochs=8)


@faulty("learning-rate-too-low", policy="mixed_bfloat16")
def wine_in_brain_floats_at_a_crawl() -> Program:
    x, y = wine()
    model = stack((13,), *hidden(1, 32), Dense(3, activation="softmax", dtype="float32"))
    return Program(compiled(model, SGD(1e-5, momentum=0.5), CROSS, "accuracy"), x, y, epochs=40)


@faulty("learning-rate-too-low", "exploding-gradient")
def gradients_clipped_to_nothing() -> Program:
    x, y = surface()
    model = stack((6,), *hidden(2, 32), Dense(1))
    return Program(compiled(model, SGD(0.01, clipnorm=1e-3), "mse"), x, y)


@faulty("learning-rate-too-low", "exploding-gradient")
def values_clipped_to_nothing() -> Program:
    x, y = images()
    net = [layers.Conv2D(8, 3, activation="relu"), layers.Flatten()]
    model = stack((8, 8, 1), *net, Dense(10, activation="softmax"))
    optimizer = SGD(0.01, momentum=0.9, nesterov=True, clipvalue=1e-5)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y, epochs=6)


@faulty("learning-rate-too-low", policy="float64")
def adamw_with_a_rate_meant_as_decay() -> Program:
    # learning_rate and weight_decay changed places.
    x, y = moons()
    model = stack((2,), *hidden(2, 32, "swish"), Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.AdamW(1e-7, weight_decay=1e-3)
    return Program(compiled(model, optimizer, BINARY, "accuracy"), x, y)


# learning-rate-starved


@faulty("learning-rate-starved", "learning-rate-too-low")
def adagrad_with_a_full_accumulator() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adagrad(0.01, initial_accumulator_value=1e6)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y)


@faulty("learning-rate-starved", "learning-rate-too-low", "exploding-gradient")
def a_maximum_that_amsgrad_keeps() -> Program:
    # The first targets are in another unit; their gradient stays the maximum.
    x, y = surface()
    x, y = np.tile(x, (10, 1)), np.tile(y, (10, 1))
    y[:32] *= 1e5
    model = stack((6,), *hidden(2, 32), Dense(1))
    model = compiled(model, Adam(0.01, amsgrad=True), "mse")
    return Program(model, x, y, epochs=1, fit={"shuffle": False})


@faulty("learning-rate-starved", "learning-rate-too-low")
def a_decay_per_step_that_was_meant_per_epoch() -> Program:
    x, y = digits()
    rate = keras.optimizers.schedules.ExponentialDecay(1e-3, decay_steps=1, decay_rate=0.8)
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(rate), CROSS, "accuracy"), x, y)


@faulty("learning-rate-starved", "learning-rate-too-low")
def a_cosine_over_the_epochs() -> Program:
    # decay_steps counts batches, not epochs.
    x, y = surface()
    rate = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=10)
    model = stack((6,), *hidden(2, 32, "tanh"), Dense(1))
    return Program(compiled(model, SGD(rate, momentum=0.9), "mse"), x, y)


@faulty("learning-rate-starved", "learning-rate-too-low", "exploding-gradient")
def adagrad_after_a_raw_first_batch() -> Program:
    # The first examples came before the scaler; their like does not come again.
    x, y = digits()
    x, y = np.tile(x, (8, 1)), np.tile(y, 8)
    x[:32] *= 1e4
    model = stack((64,), *hidden(2, 32, use_bias=False), Dense(10, use_bias=False))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model = compiled(model, keras.optimizers.Adagrad(0.05), loss, "accuracy")
    return Program(model, x, y, epochs=1, fit={"shuffle": False})


@faulty("learning-rate-starved", "learning-rate-too-low")
def inverse_time_in_a_hurry() -> Program:
    x, y = sequences()
    rate = keras.optimizers.schedules.InverseTimeDecay(0.01, decay_steps=1, decay_rate=100.0)
    model = stack((16, 3), layers.GRU(12), Dense(1, activation="sigmoid"))
    return Program(compiled(model, keras.optimizers.Nadam(rate), BINARY, "accuracy"), x, y)


# dead-layer


@faulty("dead-layer", "plateau", "vanishing-gradient")
def born_dead() -> Program:
    # Two units in each of 20 layers: nearly every draw is constant from the start.
    x, y = rings()
    model = stack((2,), *hidden(20, 2), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(1e-2), BINARY, "accuracy"), x, y)


@faulty("dead-layer", "poor-initialization", "plateau")
def negative_weights_for_pixels() -> Program:
    x, y = digits()
    negative = keras.initializers.RandomUniform(-0.1, 0.0)
    net = [*hidden(1, 64, kernel_initializer=negative), *hidden(1, 32)]
    model = stack((64,), *net, Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.1), CROSS, "accuracy"), x, y, epochs=6)


@faulty("dead-layer", "plateau")
def a_threshold_that_nothing_passes() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3),
        layers.ReLU(threshold=20.0),
        layers.Flatten(),
        Dense(10, activation="softmax"),
    )
    return Program(compiled(model, "adam", CROSS, "accuracy"), x, y, epochs=5)


@faulty("dead-layer", "plateau", "poor-initialization")
def normalization_with_an_offset_far_below() -> Program:
    x, y = moons()
    model = stack(
        (2,),
        Dense(32, use_bias=False),
        layers.BatchNormalization(beta_initializer=keras.initializers.Constant(-8.0)),
        layers.ReLU(),
        Dense(1, activation="sigmoid"),
    )
    return Program(compiled(model, keras.optimizers.Adamax(1e-3), BINARY, "accuracy"), x, y)


@faulty("dead-layer", "plateau")
def normalization_of_one_example() -> Program:
    # A batch of one is its own mean: what is left is the offset.
    x, y = wine()
    model = stack((13,), Dense(16), layers.BatchNormalization(), Dense(3, activation="softmax"))
    return Program(compiled(model, SGD(0.01), CROSS, "accuracy"), x, y, epochs=3, batch_size=1)


@faulty("dead-layer", "learning-rate-too-high", "plateau", "exploding-gradient")
def killed_by_the_first_steps() -> Program:
    # Targets far below the outputs: the first steps push nearly all units below zero.
    x = np.abs(surface()[0])
    y = x[:, :1] * x[:, 1:2] + x[:, 2:3] - 30
    model = stack((6,), *hidden(1, 32), Dense(1))
    return Program(compiled(model, SGD(0.05), "mse"), x, y, epochs=8)


# saturated-layer


@faulty("saturated-layer", "unscaled-inputs", "plateau")
def tanh_on_raw_measurements() -> Program:
    x, y = wine(raw=True)
    model = stack((13,), *hidden(2, 16, "tanh"), Dense(3, activation="softmax"))
    return Program(compiled(model, SGD(0.05), CROSS, "accuracy"), x, y, epochs=30)


@faulty("saturated-layer", "poor-initialization", "plateau")
def sigmoids_with_wild_weights() -> Program:
    x, y = surface()
    wild = gaussian(30.0)
    model = stack((6,), *hidden(2, 32, "sigmoid", kernel_initializer=wild), Dense(1))
    return Program(compiled(model, SGD(0.01), "mse"), x, y)


@faulty("saturated-layer", "plateau", "poor-initialization", "vanishing-gradient")
def gates_shut_by_their_bias() -> Program:
    # All gates begin at sigmoid(-15): nothing comes in, nothing goes out.
    x, y = sequences()
    shut = keras.initializers.Constant(-15.0)
    cell = layers.LSTM(16, bias_initializer=shut, unit_forget_bias=False)
    model = stack((16, 3), cell, Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.5, momentum=0.9), BINARY, "accuracy"), x, y)


@faulty("saturated-layer", "unscaled-inputs", "plateau", "learning-rate-too-low")
def gates_driven_by_thousands() -> Program:
    x, y = sequences()
    model = stack((16, 3), layers.GRU(16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.5), BINARY, "accuracy"), 1e4 * x, y)


@faulty("saturated-layer", "unscaled-inputs", "plateau", "dead-layer")
def a_recurrence_on_currency() -> Program:
    x, y = prices()
    model = stack((20, 1), layers.SimpleRNN(16), Dense(1))
    return Program(compiled(model, Adam(0.01), "mse"), x, standard(y))


@faulty("saturated-layer", "poor-initialization", "plateau", "dead-layer")
def biases_of_twenty() -> Program:
    x, y = moons()
    far = keras.initializers.Constant(20.0)
    model = stack((2,), *hidden(2, 24, "tanh", bias_initializer=far), Dense(1, "sigmoid"))
    return Program(compiled(model, keras.optimizers.RMSprop(1e-3), BINARY, "accuracy"), x, y)


# unreached-variable


@faulty("unreached-variable")
def a_stop_where_none_should_be() -> Program:
    x, y = digits()
    inputs = keras.Input((64,))
    h = Dense(4, activation="tanh")(inputs)
    h = Dense(32, activation="relu")(ops.stop_gradient(h))
    model = keras.Model(inputs, Dense(10, activation="softmax")(h))
    return Program(compiled(model, "adam", CROSS, "accuracy"), x, y)


@faulty("unreached-variable")
def codes_by_rounding() -> Program:
    # round() has no gradient: the encoder stays as it was drawn.
    x, _ = digits()
    inputs = keras.Input((64,))
    code = ops.round(Dense(12, activation="sigmoid")(inputs))
    model = keras.Model(inputs, Dense(64, activation="sigmoid")(Dense(32, "relu")(code)))
    return Program(compiled(model, Adam(3e-3), "mse"), x, x)


@faulty("unreached-variable")
def the_nearest_code() -> Program:
    # argmax picks an embedding; nothing goes back through it.
    x, y = wine()
    inputs = keras.Input((13,))
    h = ops.argmax(Dense(6)(inputs), axis=1)
    h = layers.Embedding(6, 8)(h)
    model = keras.Model(inputs, Dense(3, activation="softmax")(h))
    return Program(compiled(model, Adam(0.01), CROSS, "accuracy"), x, y, epochs=25)


@faulty("unreached-variable")
def a_head_without_a_loss() -> Program:
    x, y = cancer()
    inputs = keras.Input((30,))
    h = Dense(16, activation="relu")(inputs)
    one = Dense(1, activation="sigmoid", name="malignant")(h)
    two = Dense(1, name="radius")(Dense(8, activation="relu")(h))
    model = keras.Model(inputs, {"malignant": one, "radius": two})
    model = compiled(model, Adam(1e-3), {"malignant": BINARY, "radius": None})
    return Program(model, x, {"malignant": y[:, None], "radius": x[:, :1]}, epochs=6)


@faulty("unreached-variable", policy="mixed_bfloat16")
def a_gate_that_is_always_shut() -> Program:
    class Gated(keras.Layer):
        """Adds a correction, times a switch that someone left at 0."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = Dense(32, activation="relu")

        def build(self, shape: Any) -> None:
            self.inner.build(shape)
            self.scale = self.add_weight(shape=(shape[-1],), initializer="ones", name="scale")

        def call(self, x: Any) -> Any:
            return x * self.scale + 0.0 * ops.stop_gradient(self.inner(x))

    x, y = rings()
    model = stack((2,), Dense(32), Gated(), Gated(), Dense(1, activation="sigmoid"))
    return Program(compiled(model, "adam", BINARY, "accuracy"), x, y)


# plateau


@faulty("plateau")
def rows_sorted_apart_from_targets() -> Program:
    # The features were sorted by one column, the targets were not.
    x, y = diabetes()
    x = x[np.argsort(x[:, 2])]
    model = stack((10,), *hidden(1, 16), Dense(1))
    return Program(compiled(model, SGD(0.01), "mse"), x, y, epochs=15)


@faulty("plateau")
def a_straight_line_around_a_ring() -> Program:
    x, y = rings()
    model = stack((2,), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(0.05), BINARY, "accuracy"), x, y)


@faulty("plateau")
def parity_of_many_bits() -> Program:
    rng = np.random.default_rng(25)
    x = rng.integers(0, 2, (3000, 24)).astype("float32")
    y = (x.sum(axis=1) % 2).astype("float32")
    model = stack((24,), *hidden(1, 16, "tanh"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.1), BINARY, "accuracy"), 2 * x - 1, y, epochs=5)


@faulty("plateau", "dead-layer")
def normalization_of_the_only_feature() -> Program:
    # LayerNormalization over one feature leaves its offset.
    rng = np.random.default_rng(26)
    x = rng.normal(size=(800, 1)).astype("float32")
    model = stack((1,), layers.LayerNormalization(), *hidden(2, 32), Dense(1))
    return Program(compiled(model, "adam", "mse"), x, np.sin(2 * x), epochs=10)


@faulty("plateau", "poor-initialization", "learning-rate-too-high")
def a_penalty_above_all() -> Program:
    x, y = digits()
    penalty = keras.regularizers.L2(5.0)
    tower = hidden(2, 32, kernel_regularizer=penalty)
    model = stack((64,), *tower, Dense(10, "softmax", kernel_regularizer=penalty))
    return Program(compiled(model, SGD(0.01), CROSS, "accuracy"), x, y, epochs=6)


@faulty("plateau")
def places_lost_in_the_average() -> Program:
    # The class is where the bump is; the average over places does not know.
    rng = np.random.default_rng(27)
    y = rng.integers(0, 4, 800)
    x = 0.3 * rng.normal(size=(800, 16, 1))
    x[np.arange(800), 4 * y + 1, 0] += 3
    inputs = keras.Input((16, 1))
    h = layers.GlobalAveragePooling1D()(Dense(16, activation="relu")(inputs))
    model = keras.Model(inputs, Dense(4, activation="softmax")(h))
    model = compiled(model, Adam(1e-3), CROSS, "accuracy")
    return Program(model, x.astype("float32"), y, epochs=8)


# oscillation


@faulty("oscillation", "learning-rate-too-high", "exploding-gradient")
def momentum_of_three_nines() -> Program:
    x, y = diabetes()
    model = stack((10,), *hidden(1, 16, "tanh"), Dense(1))
    optimizer = SGD(0.05, momentum=0.999)
    return Program(compiled(model, optimizer, "mse"), x, y, epochs=20, batch_size=64)


@faulty("oscillation", "learning-rate-too-high", "plateau")
def classes_in_order() -> Program:
    # Sorted by class and not shuffled: each stretch unlearns the one before.
    x, y = digits()
    order = np.argsort(y, kind="stable")
    model = stack((64,), *hidden(1, 32), Dense(10, activation="softmax"))
    model = compiled(model, SGD(0.3), CROSS, "accuracy")
    return Program(model, x[order], y[order], epochs=6, fit={"shuffle": False})


@faulty("oscillation", "learning-rate-too-high")
def absolute_errors_in_long_strides() -> Program:
    # The gradient of |error| does not shrink near the minimum: the last steps are as long.
    x, y = diabetes()
    model = stack((10,), Dense(1))
    return Program(compiled(model, SGD(2.0), "mae"), x, y, epochs=60, batch_size=442)


@faulty("oscillation", "learning-rate-too-high", "plateau")
def single_examples_at_a_high_rate() -> Program:
    x, y = diabetes()
    model = stack((10,), *hidden(1, 8, "tanh"), Dense(1))
    return Program(compiled(model, SGD(0.08), "mse"), x, y, epochs=2, batch_size=1)


# unscaled-inputs


@faulty("unscaled-inputs", "nonfinite", "exploding-gradient", "learning-rate-too-high")
def houses_as_listed() -> Program:
    x, y = houses()
    model = stack((4,), *hidden(1, 16), Dense(1))
    return Program(compiled(model, SGD(1e-3), "mse"), x, y, epochs=8)


@faulty("unscaled-inputs", "learning-rate-too-high", "oscillation", "plateau", "exploding-gradient")
def seconds_since_1970() -> Program:
    # One feature is a time stamp; it drowns the others.
    rng = np.random.default_rng(29)
    x = rng.normal(size=(800, 5))
    y = (x[:, 1] + x[:, 2] > 0).astype("float32")
    x[:, 0] = 1.7e9 + 1e7 * rng.uniform(size=800)
    model = stack((5,), *hidden(2, 16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(1e-3), BINARY, "accuracy"), x.astype("float32"), y)


@faulty("unscaled-inputs", "dead-layer", "plateau", "learning-rate-too-high", "exploding-gradient")
def colours_up_to_255() -> Program:
    x, y = images()
    net = [layers.Conv2D(16, 3, activation="relu"), layers.Flatten(), *hidden(1, 32)]
    model = stack((8, 8, 1), *net, Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.1), CROSS, "accuracy"), 255 * x, y, epochs=5)


@faulty("unscaled-inputs", "plateau", "learning-rate-too-low")
def parts_per_million_beside_percent() -> Program:
    # What matters is 1e-4 in size, what does not is 100.
    rng = np.random.default_rng(30)
    x = rng.normal(size=(800, 6))
    y = np.sin(x[:, 0]) + x[:, 1]
    x[:, :2] *= 1e-4
    x[:, 2:] = 50 + 30 * x[:, 2:]
    model = stack((6,), *hidden(2, 32), Dense(1))
    y = y[:, None].astype("float32")
    return Program(compiled(model, Adam(1e-3), "mse"), x.astype("float32"), y)


@faulty("unscaled-inputs", "learning-rate-too-high", "plateau", "oscillation")
def a_linear_model_of_cells() -> Program:
    x, y = cancer(raw=True)
    model = stack((30,), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.01), BINARY, "accuracy"), x, y)


@faulty("unscaled-inputs", "nonfinite", "exploding-gradient", "learning-rate-too-high")
def powers_up_to_the_sixth() -> Program:
    rng = np.random.default_rng(31)
    t = rng.uniform(-5, 5, (600, 1))
    x = np.concatenate([t**k for k in range(1, 7)], axis=1).astype("float32")
    y = np.sin(t).astype("float32")
    model = stack((6,), Dense(1))
    return Program(compiled(model, keras.optimizers.RMSprop(0.01), "mse"), x, y, epochs=15)


# poor-initialization


@faulty("poor-initialization", "plateau", "dead-layer")
def factors_that_start_at_zero() -> Program:
    # Both factors of a product are zero, and so are both gradients.
    rng = np.random.default_rng(32)
    left, right = rng.normal(size=(50, 4)), rng.normal(size=(60, 4))
    pairs = np.stack([rng.integers(0, 50, 2000), rng.integers(0, 60, 2000)], 1)
    y = (left[pairs[:, 0]] * right[pairs[:, 1]]).sum(axis=1, keepdims=True).astype("float32")
    user, item = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    one = layers.Embedding(50, 4, embeddings_initializer="zeros")(user)
    two = layers.Embedding(60, 4, embeddings_initializer="zeros")(item)
    model = keras.Model([user, item], ops.sum(one * two, axis=1, keepdims=True))
    return Program(compiled(model, Adam(0.02), "mse"), [pairs[:, 0], pairs[:, 1]], y, epochs=8)


@faulty("poor-initialization", "plateau")
def all_units_the_same() -> Program:
    x, y = digits()
    same = keras.initializers.Constant(0.05)
    tower = hidden(2, 32, kernel_initializer=same)
    model = stack((64,), *tower, Dense(10, "softmax", kernel_initializer=same))
    return Program(compiled(model, "adam", CROSS, "accuracy"), x, y, epochs=8)


@faulty("poor-initialization", "learning-rate-too-low", "exploding-gradient", "saturated-layer")
def kernels_from_a_wide_normal() -> Program:
    x, y = images()
    wide = gaussian(5.0)
    net = [layers.Conv2D(8, 3, activation="relu", kernel_initializer=wide), layers.Flatten()]
    top = [*hidden(1, 32, kernel_initializer=wide), Dense(10, kernel_initializer=wide)]
    model = stack((8, 8, 1), *net, *top, layers.Softmax())
    return Program(compiled(model, Adam(1e-3), CROSS, "accuracy"), x, y, epochs=4)


@faulty("poor-initialization", "exploding-gradient", "learning-rate-too-high", "plateau")
def weights_between_zero_and_one() -> Program:
    # np.random.rand: all positive, so every unit is the same mean.
    x, y = surface()
    positive = keras.initializers.RandomUniform(0.0, 1.0)
    tower = hidden(4, 32, kernel_initializer=positive)
    model = stack((6,), *tower, Dense(1, kernel_initializer=positive))
    return Program(compiled(model, Adam(1e-3), "mse"), x, y)


@faulty("poor-initialization", "plateau", "dead-layer", policy="float64")
def a_silent_pair_of_layers() -> Program:
    x, y = moons()
    zero = hidden(2, 16, "tanh", kernel_initializer="zeros")
    model = stack((2,), *zero, Dense(1, "sigmoid", kernel_initializer="zeros"))
    return Program(compiled(model, SGD(0.5, momentum=0.9), BINARY, "accuracy"), x, y)


# wrong-output-or-loss


@faulty("wrong-output-or-loss", "plateau")
def one_unit_and_a_categorical_loss() -> Program:
    x, y = moons()
    model = stack((2,), *hidden(2, 16), Dense(1, activation="sigmoid"))
    model = compiled(model, "adam", "categorical_crossentropy", "accuracy")
    return Program(model, x, y[:, None])


@faulty("wrong-output-or-loss")
def three_classes_through_one_sigmoid() -> Program:
    x, y = wine()
    model = stack((13,), *hidden(1, 16), Dense(1, activation="sigmoid"))
    y = y.astype("float32")[:, None]
    return Program(compiled(model, Adam(0.01), BINARY, "accuracy"), x, y, epochs=20)


@faulty("wrong-output-or-loss", "dead-layer", "plateau")
def no_negative_answers() -> Program:
    # The targets are all below zero, the ReLU at the end is not.
    x, y = surface()
    model = stack((6,), *hidden(2, 32), Dense(1, activation="relu"))
    return Program(compiled(model, "adam", "mse"), x, y - 5, epochs=8)


@faulty("wrong-output-or-loss", "saturated-layer", "plateau")
def tanh_for_targets_up_to_fifty() -> Program:
    x, y = datasets.load_linnerud(return_X_y=True)
    rng = np.random.default_rng(33)
    pick = rng.integers(0, len(x), 600)
    x, y = standard(x)[pick], y[pick, 1:2].astype("float32")
    model = stack((3,), *hidden(1, 16, "tanh"), Dense(1, activation="tanh"))
    return Program(compiled(model, Adam(0.01), "mse"), x, y, epochs=15)


@faulty("wrong-output-or-loss", "plateau", "nonfinite", "dead-layer")
def a_relu_into_a_binary_loss() -> Program:
    x, y = cancer()
    model = stack((30,), *hidden(1, 16), Dense(1, activation="relu"))
    return Program(compiled(model, SGD(0.1), BINARY, "accuracy"), x, y, epochs=12)


@faulty("wrong-output-or-loss", "nonfinite", "exploding-gradient")
def labels_of_plus_and_minus_one() -> Program:
    # Cross-entropy of −1 has no lower bound.
    x, y = moons()
    model = stack((2,), *hidden(1, 16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(0.01), BINARY, "accuracy"), x, 2 * y - 1)


@faulty("wrong-output-or-loss", "plateau")
def every_target_against_every_answer() -> Program:
    # (n,) minus (n, 1) is (n, n): all answers are drawn to the mean.
    def squared(y_true: Any, y_pred: Any) -> Any:
        return ops.square(ops.reshape(y_true, (-1,)) - ops.reshape(y_pred, (-1, 1)))

    x, y = surface()
    model = stack((6,), *hidden(2, 32), Dense(1))
    return Program(compiled(model, Adam(3e-3), squared), x, y)


@faulty("wrong-output-or-loss", "saturated-layer", "plateau")
def class_numbers_through_a_sigmoid() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(1, 32), Dense(1, activation="sigmoid"))
    model = compiled(model, Adam(1e-3), "mse", "accuracy")
    return Program(model, x, y[:, None].astype("float32"), epochs=8)


@faulty("wrong-output-or-loss", "plateau", "saturated-layer")
def sales_through_a_sigmoid() -> Program:
    x, y = surface(scale=100.0)
    model = stack((6,), *hidden(2, 32), Dense(1, activation="sigmoid"))
    return Program(compiled(model, keras.optimizers.Adamax(0.01), "mse"), x, 500 + y)

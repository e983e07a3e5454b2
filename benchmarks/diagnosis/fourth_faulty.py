"""Programs broken the way users break them, written without sight of the rules that judge them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops, optimizers, regularizers
from sklearn import datasets

from benchmarks.diagnosis.program import (
    Data,
    Program,
    cancer,
    classifies,
    compiled,
    decides,
    digits,
    faulty,
    images,
    moons,
    rings,
    sequences,
    stack,
    standard,
    surface,
    tokens,
    tower,
    wine,
)


def blobs(number: int = 900, classes: int = 4) -> Data:
    x, y = datasets.make_blobs(number, 8, centers=classes, cluster_std=3.0, random_state=11)
    return standard(x), y


def friedman(number: int = 900) -> Data:
    x, y = datasets.make_friedman1(number, 10, noise=0.5, random_state=12)
    return standard(x), standard(y[:, None])


def waves(number: int = 500, length: int = 24, scale: float = 1.0, level: float = 0.0) -> Data:
    """The value that follows a stretch of a noisy sine."""
    rng = np.random.default_rng(13)
    phase, period = rng.uniform(0, 6.28, (number, 1)), rng.uniform(8, 16, (number, 1))
    x = np.sin(phase + np.arange(length + 1) * 6.28 / period) + 0.05 * rng.normal(
        size=(number, length + 1)
    )
    x = (level + scale * x).astype("float32")
    return x[:, :-1, None], x[:, -1:]


def tags(number: int = 900) -> Data:
    """Five labels of which any number may hold."""
    rng = np.random.default_rng(14)
    x = rng.normal(size=(number, 12)).astype("float32")
    return x, (x @ rng.normal(size=(12, 5)) > 0).astype("float32")


def counts(number: int = 900) -> Data:
    rng = np.random.default_rng(15)
    x = rng.normal(size=(number, 5)).astype("float32")
    y = rng.poisson(np.exp(0.6 * x[:, 0] - 0.5 * x[:, 1] + 0.3))
    return x, y.astype("float32")[:, None]


def ratings(number: int = 2000) -> tuple[list[np.ndarray], np.ndarray]:
    """How much each of 60 users likes each of 40 things."""
    rng = np.random.default_rng(16)
    users, things = rng.integers(0, 60, (number, 1)), rng.integers(0, 40, (number, 1))
    taste, kind = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    y = (taste[users[:, 0]] * kind[things[:, 0]]).sum(axis=1) + 0.1 * rng.normal(size=number)
    return [users, things], y.astype("float32")[:, None]


def factors(**options: Any) -> Any:
    user, thing = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    left = layers.Flatten()(layers.Embedding(60, 16, **options)(user))
    right = layers.Flatten()(layers.Embedding(40, 16, **options)(thing))
    return keras.Model([user, thing], layers.Dot(1)([left, right]))


@faulty("vanishing-gradient", "plateau")
def eight_sigmoid_layers_read_digits() -> Program:
    x, y = digits()
    model = stack((64,), *tower(8, 32, "sigmoid"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.SGD(0.1)), x, y, 10, 64)


@faulty("vanishing-gradient", "plateau")
def four_sigmoid_recurrent_layers() -> Program:
    x, y = sequences(480, 10)
    cells = [layers.SimpleRNN(12, "sigmoid", return_sequences=True) for _ in range(3)]
    model = stack((10, 3), *cells, layers.SimpleRNN(12, "sigmoid"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.SGD(0.05, momentum=0.9)), x, y, 8, 32)


@faulty("vanishing-gradient", "plateau")
def sigmoid_convolutions_seven_deep() -> Program:
    x, y = images()
    hidden = [layers.Conv2D(8, 3, padding="same", activation="sigmoid") for _ in range(7)]
    model = stack((8, 8, 1), *hidden, layers.Flatten(), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 5, 64)


@faulty("vanishing-gradient", "plateau")
def hard_sigmoid_tower_screens_tumours() -> Program:
    x, y = cancer()
    model = stack((30,), *tower(7, 20, "hard_sigmoid"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.SGD(0.05, momentum=0.9)), x, y, 20, 32)


@faulty("vanishing-gradient", "plateau")
def regression_through_ten_sigmoid_layers() -> Program:
    x, y = surface()
    model = stack((6,), *tower(10, 24, "sigmoid"), layers.Dense(1))
    return Program(compiled(model, optimizers.Adam(0.001), "mse"), x, y, 12, 50)


@faulty("vanishing-gradient", "poor-initialization", "plateau", "underflow")
def softsign_layers_from_hundredths() -> Program:
    x, y = blobs()
    small = initializers.RandomNormal(stddev=0.02)
    hidden = tower(9, 20, "softsign", kernel_initializer=small)
    model = stack((8,), *hidden, layers.Dense(4, "softmax"))
    return Program(classifies(model, optimizers.Nadam(0.001)), x, y, 12, 45)


@faulty("exploding-gradient", "poor-initialization")
def relu_tower_with_six_times_the_variance() -> Program:
    x, y = digits()
    wide = initializers.VarianceScaling(12.0, "fan_in")
    hidden = tower(9, 48, "relu", kernel_initializer=wide)
    model = stack((64,), *hidden, layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 8, 64)


@faulty("exploding-gradient", "poor-initialization")
def recurrent_weights_that_double_the_state() -> Program:
    x, y = sequences(500, 40)
    cell = layers.SimpleRNN(24, "relu", recurrent_initializer=initializers.Orthogonal(gain=2.2))
    model = stack((40, 3), cell, layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.002)), x, y, 10, 32)


@faulty("exploding-gradient", "poor-initialization", "learning-rate-too-low")
def clipping_swallows_every_step() -> Program:
    x, y = digits()
    wide = initializers.RandomNormal(stddev=0.6)
    hidden = tower(5, 64, "relu", kernel_initializer=wide)
    model = stack((64,), *hidden, layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.SGD(0.02, clipnorm=0.05)), x, y, 10, 64)


@faulty("exploding-gradient", "learning-rate-too-high", "nonfinite")
def residual_sums_that_nothing_normalises() -> Program:
    x, y = blobs()
    inputs = keras.Input((8,))
    h = layers.Dense(32)(inputs)
    for _ in range(20):
        branch = layers.Dense(32, "relu", kernel_initializer="he_normal")(h)
        h = layers.Add()([h, layers.Dense(32, kernel_initializer="he_normal")(branch)])
    model = keras.Model(inputs, layers.Dense(4, "softmax")(h))
    return Program(classifies(model, optimizers.SGD(0.01)), x, y, 6, 60)


@faulty(
    "exploding-gradient",
    "poor-initialization",
    "learning-rate-too-high",
    "nonfinite",
    "oscillation",
)
def factors_of_taste_that_start_far_too_long() -> Program:
    x, y = ratings()
    model = factors(embeddings_initializer=initializers.RandomNormal(stddev=4.0))
    return Program(compiled(model, optimizers.SGD(1.0), "mse"), x, y, 8, 64)


@faulty("nonfinite", "wrong-output-or-loss")
def log_of_a_count_that_relu_made_zero() -> Program:
    x, y = counts()
    model = stack((5,), layers.Dense(32, "tanh"), layers.Dense(1, "relu"))

    def poisson(true: Any, rate: Any) -> Any:
        return ops.mean(rate - true * ops.log(rate), axis=-1)

    return Program(compiled(model, optimizers.Adam(0.003), poisson), x, y, 10, 32)


@faulty("nonfinite")
def constant_pixels_divided_by_their_spread() -> Program:
    x, y = datasets.load_digits(return_X_y=True)
    with np.errstate(invalid="ignore"):
        x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype("float32")
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.002)), x, y, 8, 64)


@faulty("nonfinite")
def a_few_missing_cells_in_the_table() -> Program:
    x, y = cancer()
    x[np.random.default_rng(17).integers(0, len(x), 6), 4] = np.nan
    model = stack((30,), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.RMSprop(0.002)), x, y, 12, 32)


@faulty("nonfinite")
def root_of_the_distance_between_twins() -> Program:
    pixels, label = digits()
    rng = np.random.default_rng(18)
    left = rng.integers(0, len(pixels), 1200)
    right = np.where(rng.random(1200) < 0.3, left, rng.integers(0, len(pixels), 1200))
    encoder = stack((64,), layers.Dense(32, "relu"), layers.Dense(8, use_bias=False))
    one, other = keras.Input((64,)), keras.Input((64,))
    apart = ops.square(encoder(one) - encoder(other))
    distance = ops.sqrt(ops.sum(apart, axis=-1, keepdims=True))

    def contrastive(same: Any, gap: Any) -> Any:
        return same * gap + (1 - same) * ops.relu(1 - gap)

    model = compiled(keras.Model([one, other], distance), optimizers.Adam(0.002), contrastive)
    same = (label[left] == label[right]).astype("float32")[:, None]
    return Program(model, [pixels[left], pixels[right]], same, 8, 48)


@faulty("nonfinite", "underflow", policy="float16")
def adam_in_half_precision_alone() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(64, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 10, 64)


@faulty("dead-layer", "poor-initialization", "vanishing-gradient", "plateau")
def biases_far_below_zero_silence_a_layer() -> Program:
    x, y = digits()
    silent = layers.Dense(48, "relu", bias_initializer=initializers.Constant(-6.0))
    model = stack((64,), layers.Dense(64, "relu"), silent, layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 10, 64)


@faulty("dead-layer", "learning-rate-too-high", "plateau")
def adam_at_a_half_kills_the_relus() -> Program:
    x, y = blobs()
    model = stack((8,), *tower(4, 32, "relu"), layers.Dense(4, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.5)), x, y, 15, 45)


@faulty("dead-layer", "learning-rate-too-high", "plateau")
def filters_die_at_a_rate_of_a_fifth() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(32, "relu"),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.RMSprop(0.2)), x, y, 8, 64)


@faulty("dead-layer", "poor-initialization", "vanishing-gradient", "plateau")
def positive_weights_on_negative_brightness() -> Program:
    x, y = images()
    start = initializers.RandomUniform(0.0, 0.2)
    model = stack(
        (8, 8, 1),
        layers.Conv2D(12, 3, activation="relu", kernel_initializer=start),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(0.002)), x - 1.5, y, 8, 64)


@faulty("dead-layer", "plateau", "vanishing-gradient")
def sparsity_penalty_crushes_the_code() -> Program:
    x, _ = digits()
    code = layers.Dense(16, "relu", activity_regularizer=regularizers.L1(1.0))
    model = stack((64,), layers.Dense(48, "relu"), code, layers.Dense(64, "sigmoid"))
    return Program(compiled(model, optimizers.Adam(0.003), "mse"), x, x, 12, 64)


@faulty("dead-layer", "vanishing-gradient", "plateau")
def narrow_relu_corridor_born_dead() -> Program:
    x, y = moons()
    model = stack((2,), *tower(14, 2, "relu"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.003)), x, y, 8, 40)


@faulty("dead-layer", "poor-initialization", "plateau", "vanishing-gradient")
def series_features_cut_off_below_a_high_threshold() -> Program:
    x, y = waves()
    quiet = layers.Dense(32, "relu", bias_initializer=initializers.RandomUniform(-8.0, -4.0))
    model = stack((24, 1), layers.LSTM(16), quiet, layers.Dense(1))
    return Program(compiled(model, optimizers.Adam(0.003), "mse"), x, y, 8, 32)


@faulty("learning-rate-too-high", "oscillation", "saturated-layer")
def tanh_classifier_at_a_rate_of_eight() -> Program:
    x, y = digits()
    model = stack((64,), *tower(2, 32, "tanh"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.SGD(8.0)), x, y, 8, 32)


@faulty("learning-rate-too-high", "oscillation", "exploding-gradient", "saturated-layer")
def heavy_momentum_with_small_batches() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(12, 3, activation="tanh"),
        layers.Flatten(),
        layers.Dense(32, "tanh"),
        layers.Dense(10, "softmax"),
    )
    optimizer = optimizers.SGD(0.8, momentum=0.97)
    return Program(classifies(model, optimizer), x[:1000], y[:1000], 5, 16)


@faulty("learning-rate-too-high", "oscillation", "saturated-layer")
def rmsprop_at_a_half_on_a_surface() -> Program:
    x, y = friedman()
    model = stack((10,), *tower(2, 32, "tanh"), layers.Dense(1))
    return Program(compiled(model, optimizers.RMSprop(0.5), "mse"), x, y, 12, 45)


@faulty("learning-rate-too-high", "oscillation", "plateau", "saturated-layer")
def attention_block_trained_at_three_tenths() -> Program:
    x, y = sequences(600, 16)
    inputs = keras.Input((16, 3))
    h = layers.Dense(16)(inputs)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 8)(h, h))
    h = layers.LayerNormalization()(h + layers.Dense(16)(layers.Dense(32, "gelu")(h)))
    out = layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling1D()(h))
    return Program(decides(keras.Model(inputs, out), optimizers.Adam(0.3)), x, y, 8, 32)


@faulty("learning-rate-too-high", "oscillation", "saturated-layer")
def warm_restarts_that_throw_the_weights_away() -> Program:
    x, y = wine()
    rate = optimizers.schedules.CosineDecayRestarts(3.0, 22, t_mul=1.0)
    model = stack(
        (13,), layers.Dense(24, "tanh"), layers.Dense(24, "tanh"), layers.Dense(3, "softmax")
    )
    return Program(classifies(model, optimizers.Adam(rate)), x, y, 16, 16)


@faulty("learning-rate-too-low", "plateau")
def hundred_thousandth_of_a_gradient() -> Program:
    x, y = cancer()
    model = stack((30,), layers.Dense(24, "relu"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.SGD(1e-5)), x, y, 15, 32)


@faulty("learning-rate-too-low", "plateau")
def convolutions_at_a_millionth() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(1e-6)), x, y, 8, 64)


@faulty("learning-rate-too-low", "plateau", "learning-rate-starved")
def adadelta_with_the_rate_it_comes_with() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(64, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adadelta()), x, y, 12, 64)


@faulty("learning-rate-too-low", "plateau")
def warm_up_that_outlasts_the_training() -> Program:
    x, y = surface()
    rate = optimizers.schedules.CosineDecay(0.0, 10000, warmup_target=0.005, warmup_steps=200000)
    model = stack((6,), layers.Dense(48, "relu"), layers.Dense(48, "relu"), layers.Dense(1))
    return Program(compiled(model, optimizers.Adam(rate), "mse"), x, y, 12, 50)


@faulty("learning-rate-too-low", "plateau")
def fresh_text_model_at_a_fine_tuning_rate() -> Program:
    x, y = tokens(800, 16)
    model = stack(
        (16,),
        layers.Embedding(3000, 16),
        layers.Bidirectional(layers.LSTM(12)),
        layers.Dense(1, "sigmoid"),
        dtype="int32",
    )
    return Program(decides(model, optimizers.AdamW(2e-6)), x, y, 6, 32)


@faulty("learning-rate-starved", "learning-rate-too-low", "plateau")
def rate_decays_at_every_step_not_every_epoch() -> Program:
    x, y = digits()
    rate = optimizers.schedules.ExponentialDecay(0.01, decay_steps=1, decay_rate=0.6)
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(rate)), x, y, 10, 64)


@faulty("unreached-variable")
def encoder_cut_off_from_the_loss() -> Program:
    x, y = digits()
    inputs = keras.Input((64,))
    code = layers.Dense(4, "tanh")(layers.Dense(32, "relu")(inputs))
    code = layers.Lambda(ops.stop_gradient)(code)
    model = keras.Model(inputs, layers.Dense(10, "softmax")(layers.Dense(24, "relu")(code)))
    return Program(classifies(model, optimizers.Adam(0.003)), x, y, 10, 64)


@faulty("loss-scale-stall", "nonfinite", "unscaled-inputs", policy="mixed_float16")
def amounts_beyond_what_half_precision_holds() -> Program:
    rng = np.random.default_rng(19)
    x = rng.normal(size=(900, 6))
    y = (x[:, 0] + x[:, 1] * x[:, 2] > 0).astype("float32")
    x = (80000 + 30000 * x).astype("float32")
    model = stack((6,), layers.Dense(32, "relu"), layers.Dense(1, "sigmoid", dtype="float32"))
    return Program(decides(model, optimizers.Adam(0.003)), x, y, 8, 45)


@faulty("wrong-output-or-loss")
def softmax_over_one_unit_after_a_gru() -> Program:
    x, y = sequences(600, 12)
    model = stack((12, 3), layers.GRU(16), layers.Dense(1, "softmax"))
    return Program(decides(model, optimizers.Adam(0.005)), x, y, 8, 32)


@faulty("wrong-output-or-loss")
def softmax_over_labels_that_hold_together() -> Program:
    x, y = tags()
    model = stack((12,), layers.Dense(48, "relu"), layers.Dense(5, "softmax"))
    compiled(model, optimizers.Adam(0.005), "categorical_crossentropy", "binary_accuracy")
    return Program(model, x, y, 12, 45)


@faulty("wrong-output-or-loss")
def relu_at_the_end_of_a_signed_regression() -> Program:
    x, y = surface()
    model = stack((6,), layers.Dense(48, "tanh"), layers.Dense(48, "tanh"), layers.Dense(1, "relu"))
    return Program(compiled(model, optimizers.Adam(0.003), "mse"), x, y, 15, 50)


@faulty("wrong-output-or-loss", "saturated-layer", "plateau", "vanishing-gradient")
def tanh_output_asked_for_values_near_forty_five() -> Program:
    x, y = friedman()
    model = stack((10,), layers.Dense(32, "relu"), layers.Dense(1, "tanh"))
    return Program(compiled(model, optimizers.Adam(0.005), "mse"), x, 45 + 12 * y, 12, 45)


@faulty("wrong-output-or-loss", "plateau")
def scores_taken_for_probabilities() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10))
    return Program(classifies(model, optimizers.SGD(0.1)), x, y, 10, 64)


@faulty("wrong-output-or-loss", "plateau")
def squared_error_between_softmax_and_class_numbers() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10, "softmax"))
    compiled(model, optimizers.Adam(0.002), "mse", "accuracy")
    return Program(model, x, y[:, None].astype("float32"), 10, 64)


@faulty("unscaled-inputs", "dead-layer", "exploding-gradient", "learning-rate-too-high", "plateau")
def wine_chemistry_straight_from_the_file() -> Program:
    x, y = wine(raw=True)
    model = stack(
        (13,), layers.Dense(32, "relu"), layers.Dense(16, "relu"), layers.Dense(3, "softmax")
    )
    return Program(classifies(model, optimizers.SGD(0.01, momentum=0.9)), x, y, 25, 16)


@faulty("unscaled-inputs", "saturated-layer", "plateau", "vanishing-gradient")
def tumour_sizes_straight_into_tanh() -> Program:
    x, y = cancer(raw=True)
    model = stack(
        (30,), layers.Dense(24, "tanh"), layers.Dense(12, "tanh"), layers.Dense(1, "sigmoid")
    )
    return Program(decides(model, optimizers.SGD(0.01)), x, y, 12, 32)


@faulty("unscaled-inputs", "saturated-layer", "plateau", "vanishing-gradient")
def lstm_fed_prices_in_thousands() -> Program:
    x, y = waves(scale=800.0, level=4000.0)
    model = stack((24, 1), layers.LSTM(16), layers.Dense(1))
    y = standard(y)
    return Program(compiled(model, optimizers.Adam(0.005), "mse"), x, y, 8, 32)


@faulty("poor-initialization", "plateau", "vanishing-gradient")
def kernels_that_all_start_at_zero() -> Program:
    x, y = wine()
    hidden = tower(2, 24, "tanh", kernel_initializer="zeros")
    model = stack((13,), *hidden, layers.Dense(3, "softmax", kernel_initializer="zeros"))
    return Program(classifies(model, optimizers.Adam(0.005)), x, y, 20, 16)


@faulty("poor-initialization", "plateau")
def units_that_start_as_twins() -> Program:
    x, y = rings()
    hidden = layers.Dense(24, "tanh", kernel_initializer=initializers.Constant(0.2))
    model = stack((2,), hidden, layers.Dense(1, "sigmoid", kernel_initializer="ones"))
    return Program(decides(model, optimizers.Adam(0.01)), x, y, 15, 40)


@faulty("poor-initialization", "vanishing-gradient", "plateau", "underflow", "dead-layer")
def filters_drawn_from_ten_thousandths() -> Program:
    x, y = images()
    tiny = initializers.RandomNormal(stddev=1e-4)
    hidden = [
        layers.Conv2D(12, 3, activation="relu", padding="same", kernel_initializer=tiny)
        for _ in range(3)
    ]
    model = stack((8, 8, 1), *hidden, layers.Flatten(), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 6, 64)


@faulty("saturated-layer", "poor-initialization", "vanishing-gradient", "plateau")
def sigmoid_units_pinned_at_one_by_their_biases() -> Program:
    x, y = digits()
    pinned = layers.Dense(32, "sigmoid", bias_initializer=initializers.Constant(15.0))
    model = stack((64,), layers.Dense(32, "relu"), pinned, layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.001)), x, y, 10, 64)


@faulty("saturated-layer", "poor-initialization", "vanishing-gradient", "plateau")
def lstm_gates_held_open_by_their_biases() -> Program:
    x, y = sequences(500, 12)
    cell = layers.LSTM(16, bias_initializer=initializers.Constant(12.0))
    model = stack((12, 3), cell, layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.003)), x, y, 8, 32)

"""Programs that train well and look odd, written without sight of the rules that judge them."""

from __future__ import annotations

import keras
import numpy as np
from keras import constraints, initializers, layers, ops, optimizers, regularizers
from sklearn import datasets

from benchmarks.diagnosis.program import (
    Data,
    Program,
    cancer,
    classifies,
    compiled,
    decides,
    diabetes,
    digits,
    healthy,
    images,
    moons,
    rings,
    sequences,
    stack,
    standard,
    tower,
    wine,
)


def iris() -> Data:
    x, y = datasets.load_iris(return_X_y=True)
    return standard(x), y


def blobs(number: int = 900, classes: int = 4) -> Data:
    x, y = datasets.make_blobs(number, 8, centers=classes, cluster_std=3.0, random_state=21)
    return standard(x), y


def friedman(number: int = 900) -> Data:
    x, y = datasets.make_friedman1(number, 10, noise=0.5, random_state=22)
    return standard(x), standard(y[:, None])


def waves(number: int = 500, length: int = 24) -> Data:
    """The value that follows a stretch of a noisy sine."""
    rng = np.random.default_rng(23)
    phase, period = rng.uniform(0, 6.28, (number, 1)), rng.uniform(8, 16, (number, 1))
    x = np.sin(phase + np.arange(length + 1) * 6.28 / period)
    x = (x + 0.05 * rng.normal(size=x.shape)).astype("float32")
    return x[:, :-1, None], x[:, -1:]


def tags(number: int = 900) -> Data:
    """Five labels of which any number may hold."""
    rng = np.random.default_rng(24)
    x = rng.normal(size=(number, 12)).astype("float32")
    return x, (x @ rng.normal(size=(12, 5)) > 0).astype("float32")


def counts(number: int = 900) -> Data:
    rng = np.random.default_rng(25)
    x = rng.normal(size=(number, 5)).astype("float32")
    y = rng.poisson(np.exp(0.6 * x[:, 0] - 0.5 * x[:, 1] + 0.3))
    return x, y.astype("float32")[:, None]


def reviews(number: int = 900, length: int = 24, words: int = 400) -> Data:
    """Padded word numbers; the first twenty words speak for, the next twenty against."""
    rng = np.random.default_rng(26)
    x = rng.integers(1, words, (number, length))
    told = rng.integers(0, 2, number)
    for row, label in zip(x, told, strict=True):
        row[rng.integers(0, 12, 3)] = rng.integers(1, 21, 3) + 20 * label
        row[rng.integers(14, length) :] = 0
    return x, told.astype("float32")


@healthy()
def nadam_learns_wine() -> Program:
    x, y = wine()
    model = stack((13,), layers.Dense(24, "relu"), layers.Dense(3, "softmax"))
    return Program(classifies(model, optimizers.Nadam(0.005)), x, y, 20, 16)


@healthy()
def small_convnet_with_batch_normalisation() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Conv2D(24, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(0.002)), x, y, 6, 64)


@healthy()
def gru_adds_up_a_series() -> Program:
    x, y = sequences(700, 12)
    model = stack((12, 3), layers.GRU(16), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.01)), x, y, 8, 32)


@healthy()
def autoencoder_squeezes_digits() -> Program:
    x, _ = digits()
    model = stack(
        (64,),
        layers.Dense(48, "relu"),
        layers.Dense(16),
        layers.Dense(48, "relu"),
        layers.Dense(64, "sigmoid"),
    )
    return Program(compiled(model, optimizers.Adam(0.003), "mse"), x, x, 14, 64)


@healthy()
def diabetes_with_a_little_weight_decay() -> Program:
    x, y = diabetes()
    hidden = layers.Dense(24, "relu", kernel_regularizer=regularizers.L2(1e-3))
    model = compiled(stack((10,), hidden, layers.Dense(1)), optimizers.Adam(0.005), "mse")
    return Program(model, x, y, 25, 32)


@healthy()
def five_tags_each_with_its_own_sigmoid() -> Program:
    x, y = tags()
    model = stack((12,), layers.Dense(48, "relu"), layers.Dense(5, "sigmoid"))
    compiled(model, optimizers.Adam(0.005), "binary_crossentropy", "binary_accuracy")
    return Program(model, x, y, 12, 45)


@healthy()
def digit_and_its_parity_from_one_trunk() -> Program:
    x, y = digits()
    inputs = keras.Input((64,))
    trunk = layers.Dense(64, "relu")(inputs)
    heads = {
        "digit": layers.Dense(10, "softmax", name="digit")(trunk),
        "odd": layers.Dense(1, "sigmoid", name="odd")(trunk),
    }
    losses = {"digit": "sparse_categorical_crossentropy", "odd": "binary_crossentropy"}
    model = compiled(keras.Model(inputs, heads), optimizers.Adam(0.003), losses)
    return Program(model, x, {"digit": y, "odd": (y % 2).astype("float32")}, 10, 64)


@healthy("unreached-variable")
def new_head_on_frozen_principal_components() -> Program:
    x, y = digits()
    axes = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2][:24].T
    frozen = layers.Dense(24, name="components", trainable=False)
    model = stack((64,), frozen, layers.Dense(32, "relu"), layers.Dense(10, "softmax"))
    frozen.set_weights([axes, -x.mean(axis=0) @ axes])
    return Program(classifies(model, optimizers.Adam(0.005)), x, y, 10, 64)


@healthy()
def transformer_block_over_words() -> Program:
    x, y = reviews()
    inputs = keras.Input((24,), dtype="int32")
    h = layers.Embedding(400, 16)(inputs)
    h = layers.LayerNormalization()(h + layers.MultiHeadAttention(2, 8)(h, h))
    h = layers.LayerNormalization()(h + layers.Dense(16)(layers.Dense(32, "gelu")(h)))
    out = layers.Dense(1, "sigmoid")(layers.GlobalAveragePooling1D()(h))
    return Program(decides(keras.Model(inputs, out), optimizers.Adam(0.003)), x, y, 7, 32)


@healthy("loss-scale-stall", policy="mixed_float16")
def mixed_precision_on_digits() -> Program:
    x, y = digits()
    model = stack(
        (64,),
        layers.Dense(64, "relu"),
        layers.Dense(10),
        layers.Activation("softmax", dtype="float32"),
    )
    return Program(classifies(model, optimizers.Adam(0.003)), x, y, 10, 64)


@healthy("underflow", policy="mixed_bfloat16")
def brain_floats_on_images() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(10, "softmax", dtype="float32"),
    )
    return Program(classifies(model, optimizers.RMSprop(0.002)), x, y, 8, 64)


@healthy()
def half_of_the_units_dropped() -> Program:
    x, y = digits()
    model = stack(
        (64,),
        layers.Dense(128, "relu"),
        layers.Dropout(0.5),
        layers.Dense(64, "relu"),
        layers.Dropout(0.3),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(0.002)), x, y, 10, 64)


@healthy()
def lstm_continues_a_sine() -> Program:
    x, y = waves()
    model = stack((24, 1), layers.LSTM(20), layers.Dense(1))
    return Program(compiled(model, optimizers.Adam(0.01), "mse"), x, y, 10, 32)


@healthy()
def logistic_regression_on_tumours() -> Program:
    x, y = cancer()
    model = stack((30,), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.SGD(0.05, momentum=0.9)), x, y, 12, 32)


@healthy()
def convolutions_over_time() -> Program:
    rng = np.random.default_rng(27)
    y = rng.integers(0, 3, 700)
    shape = np.sin(np.arange(40)[None] * (0.3 + 0.3 * y[:, None]) + rng.uniform(0, 6, (700, 1)))
    x = (shape + 0.4 * rng.normal(size=shape.shape)).astype("float32")[:, :, None]
    model = stack(
        (40, 1),
        layers.Conv1D(16, 5, activation="relu"),
        layers.MaxPooling1D(),
        layers.Conv1D(24, 5, activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(0.005)), x, y, 10, 35)


@healthy("learning-rate-starved")
def adagrad_at_a_tenth_on_digits() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.Adagrad(0.1)), x, y, 10, 64)


@healthy()
def taste_as_a_product_of_embeddings() -> Program:
    rng = np.random.default_rng(28)
    users, things = rng.integers(0, 60, (2400, 1)), rng.integers(0, 40, (2400, 1))
    taste, kind = rng.normal(size=(60, 3)), rng.normal(size=(40, 3))
    y = (taste[users[:, 0]] * kind[things[:, 0]]).sum(axis=1, keepdims=True).astype("float32")
    user, thing = keras.Input((1,), dtype="int32"), keras.Input((1,), dtype="int32")
    left = layers.Flatten()(layers.Embedding(60, 8)(user))
    right = layers.Flatten()(layers.Embedding(40, 8)(thing))
    model = keras.Model([user, thing], layers.Dot(1)([left, right]))
    return Program(compiled(model, optimizers.Adam(0.02), "mse"), [users, things], y, 10, 64)


@healthy()
def numbers_beside_categories() -> Program:
    rng = np.random.default_rng(29)
    number, group = rng.normal(size=(900, 4)).astype("float32"), rng.integers(0, 8, (900, 1))
    effect = np.array([-2, -1.5, -1, -0.5, 0.5, 1, 1.5, 2])[group[:, 0]]
    y = (number[:, 0] - 0.5 * number[:, 1] + effect > 0).astype("float32")
    left, right = keras.Input((4,)), keras.Input((1,), dtype="int32")
    both = layers.Concatenate()([left, layers.Flatten()(layers.Embedding(8, 4)(right))])
    out = layers.Dense(1, "sigmoid")(layers.Dense(24, "relu")(both))
    model = decides(keras.Model([left, right], out), optimizers.Adam(0.01))
    return Program(model, [number, group], y, 12, 45)


@healthy("plateau")
def one_in_twelve_is_positive_and_weighs_more() -> Program:
    rng = np.random.default_rng(31)
    x = rng.normal(size=(1200, 6)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 2).astype("float32")
    model = stack((6,), layers.Dense(24, "relu"), layers.Dense(1, "sigmoid"))
    weights = {"class_weight": {0: 1.0, 1: 8.0}}
    return Program(decides(model, optimizers.Adam(0.01)), x, y, 12, 48, weights)


@healthy()
def counts_of_a_log_linear_rate() -> Program:
    x, y = counts()
    model = stack((5,), layers.Dense(16, "tanh"), layers.Dense(1, "exponential"))
    return Program(compiled(model, optimizers.Adam(0.005), "poisson"), x, y, 14, 45)


@healthy("vanishing-gradient")
def two_sigmoid_layers_on_wine() -> Program:
    x, y = wine()
    model = stack((13,), *tower(2, 24, "sigmoid"), layers.Dense(3, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.02)), x, y, 25, 16)


@healthy("exploding-gradient")
def clipped_at_nearly_every_step() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(64, "relu"), layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.SGD(0.5, global_clipnorm=0.4)), x, y, 12, 64)


@healthy("learning-rate-too-high")
def descent_at_a_half_behind_batch_normalisation() -> Program:
    x, y = digits()
    block = [layers.Dense(64, use_bias=False), layers.BatchNormalization(), layers.ReLU()]
    model = stack((64,), *block, layers.Dense(10, "softmax"))
    return Program(classifies(model, optimizers.SGD(0.5)), x, y, 10, 64)


@healthy("learning-rate-too-low")
def small_rate_and_a_wide_layer_suffice() -> Program:
    x, y = blobs()
    model = stack((8,), layers.Dense(256, "relu"), layers.Dense(4, "softmax"))
    return Program(classifies(model, optimizers.Adam(3e-4)), x, y, 20, 45)


@healthy("plateau")
def irises_learned_long_before_the_end() -> Program:
    x, y = iris()
    model = stack((4,), layers.Dense(16, "tanh"), layers.Dense(3, "softmax"))
    return Program(classifies(model, optimizers.Adam(0.02)), x, y, 40, 15)


@healthy("plateau")
def a_fifth_of_the_labels_are_lies() -> Program:
    x, y = moons(1200)
    y = np.where(np.random.default_rng(33).random(1200) < 0.2, 1 - y, y).astype("float32")
    model = stack((2,), *tower(2, 24, "relu"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.01)), x, y, 14, 60)


@healthy("oscillation")
def two_rows_at_a_time() -> Program:
    x, y = wine()
    model = stack((13,), layers.Dense(16, "relu"), layers.Dense(3, "softmax"))
    return Program(classifies(model, optimizers.SGD(0.01)), x, y, 5, 2)


@healthy("wrong-output-or-loss")
def logits_and_a_loss_that_knows_it() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1), layers.Conv2D(12, 3, activation="relu"), layers.Flatten(), layers.Dense(10)
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    compiled(model, optimizers.Adam(0.003), loss, "accuracy")
    return Program(model, x, y, 8, 64)


@healthy("wrong-output-or-loss")
def softplus_for_amounts_that_are_never_negative() -> Program:
    x, y = friedman()
    model = stack((10,), *tower(2, 32, "relu"), layers.Dense(1, "softplus"))
    return Program(compiled(model, optimizers.Adam(0.004), "mae"), x, y - y.min(), 14, 45)


@healthy("poor-initialization")
def softmax_regression_from_zeros() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(10, "softmax", kernel_initializer="zeros"))
    return Program(classifies(model, optimizers.SGD(0.5, momentum=0.9)), x, y, 10, 64)


@healthy("poor-initialization")
def residual_branches_that_start_at_zero() -> Program:
    x, y = blobs()
    inputs = keras.Input((8,))
    h = layers.Dense(32)(inputs)
    for _ in range(4):
        branch = layers.Dense(32, "relu", kernel_initializer="he_normal")(h)
        h = h + layers.Dense(32, kernel_initializer="zeros")(branch)
    model = keras.Model(inputs, layers.Dense(4, "softmax")(h))
    return Program(classifies(model, optimizers.Adam(0.002)), x, y, 12, 45)


@healthy("unscaled-inputs")
def raw_tumours_behind_batch_normalisation() -> Program:
    x, y = cancer(raw=True)
    model = stack(
        (30,), layers.BatchNormalization(), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid")
    )
    return Program(decides(model, optimizers.Adam(0.005)), x, y, 20, 32)


@healthy("vanishing-gradient")
def selu_tower_normalises_itself() -> Program:
    x, y = friedman()
    hidden = tower(10, 24, "selu", kernel_initializer="lecun_normal")
    model = stack((10,), *hidden, layers.Dense(1, kernel_initializer="lecun_normal"))
    return Program(compiled(model, optimizers.Adam(0.002), "mse"), x, y, 14, 45)


@healthy("exploding-gradient")
def plain_recurrence_held_by_orthogonal_weights() -> Program:
    x, y = sequences(600, 16)
    model = stack((16, 3), layers.SimpleRNN(24), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.003, clipnorm=1.0)), x, y, 12, 32)


@healthy("dead-layer")
def sparse_code_with_a_light_penalty() -> Program:
    x, _ = digits()
    code = layers.Dense(96, "relu", activity_regularizer=regularizers.L1(2e-5))
    model = stack((64,), code, layers.Dense(64, "sigmoid"))
    return Program(compiled(model, optimizers.Adam(0.005), "mse"), x, x, 14, 64)


@healthy("unreached-variable")
def words_that_never_come_up() -> Program:
    x, y = reviews(700)
    model = stack(
        (24,),
        layers.Embedding(5000, 12, mask_zero=True),
        layers.LSTM(16),
        layers.Dense(1, "sigmoid"),
        dtype="int32",
    )
    return Program(decides(model, optimizers.Adam(0.01)), x, y, 6, 32)


@healthy("learning-rate-starved")
def rate_cut_once_the_work_is_done() -> Program:
    x, y = cancer()
    rate = optimizers.schedules.PiecewiseConstantDecay([120, 200], [0.1, 0.01, 1e-5])
    model = stack((30,), layers.Dense(16, "relu"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.SGD(rate, momentum=0.9)), x, y, 16, 32)


@healthy("unreached-variable")
def gradients_gathered_over_four_batches() -> Program:
    x, y = digits()
    model = stack((64,), layers.Dense(48, "relu"), layers.Dense(10, "softmax"))
    optimizer = optimizers.Adam(0.01, gradient_accumulation_steps=4)
    return Program(classifies(model, optimizer), x, y, 8, 32)


@healthy("saturated-layer")
def sine_waves_instead_of_relus() -> Program:
    rng = np.random.default_rng(34)
    x = rng.uniform(-1, 1, (900, 1)).astype("float32")
    y = (np.sin(12 * x) * x).astype("float32")
    first = layers.Dense(48, ops.sin, kernel_initializer=initializers.RandomUniform(-12, 12))
    model = stack((1,), first, layers.Dense(48, ops.sin), layers.Dense(1))
    return Program(compiled(model, optimizers.Adam(0.003), "mse"), x, y, 14, 45)


@healthy("underflow")
def weights_held_to_unit_length() -> Program:
    x, y = digits()
    unit = constraints.UnitNorm(axis=0)
    model = stack(
        (64,),
        layers.Dense(64, "relu", kernel_constraint=unit),
        layers.Dense(32, "relu", kernel_constraint=unit),
        layers.Dense(10, "softmax"),
    )
    return Program(classifies(model, optimizers.Adam(0.005)), x, y, 10, 64)


@healthy("loss-scale-stall", policy="mixed_float16")
def loss_scale_that_starts_high_and_settles() -> Program:
    x, y = cancer()
    model = stack((30,), layers.Dense(24, "relu"), layers.Dense(1, "sigmoid", dtype="float32"))
    inner = optimizers.Adam(0.005)
    optimizer = optimizers.LossScaleOptimizer(inner, initial_scale=2.0**17)
    return Program(decides(model, optimizer), x, y, 15, 32)


@healthy("plateau")
def rings_found_after_a_flat_beginning() -> Program:
    x, y = rings()
    model = stack((2,), *tower(3, 16, "tanh"), layers.Dense(1, "sigmoid"))
    return Program(decides(model, optimizers.Adam(0.004)), x, y, 20, 40)

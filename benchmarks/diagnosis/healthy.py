"""Healthy programs, awkward ones among them, each like something that is broken."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import initializers, layers, ops, optimizers
from keras.layers import Dense

from benchmarks.diagnosis.program import (
    Program,
    cancer,
    compiled,
    diabetes,
    digits,
    healthy,
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

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def softmax(units: int = 10, **options: Any) -> Any:
    return Dense(units, activation="softmax", **options)


# Gradients that are small, large or grow, and do no harm.


@healthy("vanishing-gradient")
def deep_but_residual() -> Program:
    inputs = keras.Input((64,))
    x = Dense(32)(inputs)
    for _ in range(10):
        x = layers.Add()([x, Dense(32)(Dense(32, activation="sigmoid")(x))])
    model = keras.Model(inputs, softmax()(layers.LayerNormalization()(x)))
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits(), epochs=8)


@healthy("vanishing-gradient")
def a_small_loss() -> Program:
    def loss(y: Any, p: Any) -> Any:
        return 1e-6 * keras.losses.sparse_categorical_crossentropy(y, p)

    model = stack((64,), Dense(48, activation="relu"), softmax())
    optimizer = optimizers.Adam(1e-3, epsilon=1e-13)
    return Program(compiled(model, optimizer, loss, "accuracy"), *digits())


@healthy("vanishing-gradient")
def two_sigmoids() -> Program:
    hidden = [Dense(32, activation="sigmoid") for _ in range(2)]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, optimizers.Adam(0.01), SPARSE, "accuracy"), *digits())


@healthy("vanishing-gradient")
def deep_with_normalization() -> Program:
    hidden = [
        part
        for _ in range(8)
        for part in (Dense(32), layers.BatchNormalization(), layers.Activation("tanh"))
    ]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, optimizers.SGD(0.1), SPARSE, "accuracy"), *digits())


@healthy("exploding-gradient")
def a_gradient_that_grows_as_it_learns() -> Program:
    hidden = [Dense(12, activation="tanh") for _ in range(6)]
    model = stack((2,), *hidden, Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(2e-3), BINARY, "accuracy"), *rings(), epochs=25)


@healthy("exploding-gradient")
def a_recurrence_that_is_clipped() -> Program:
    model = stack((16, 3), layers.LSTM(16), Dense(1, activation="sigmoid"))
    optimizer = optimizers.SGD(0.1, momentum=0.9, global_clipnorm=0.5)
    return Program(compiled(model, optimizer, BINARY, "accuracy"), *sequences(), epochs=12)


@healthy("exploding-gradient")
def a_large_loss() -> Program:
    model = stack((6,), Dense(32, activation="relu"), Dense(1))
    program = compiled(model, optimizers.Adam(0.01), lambda y, p: 1e4 * ops.square(y - p))
    return Program(program, *surface(), epochs=15)


# Loss scaling and narrow numbers.


@healthy("nonfinite", policy="mixed_float16")
def loss_scaling_that_looks_for_its_place() -> Program:
    model = stack((64,), Dense(48, activation="relu"), Dense(10),
                  layers.Activation("softmax", dtype="float32"))  # fmt: skip
    optimizer = optimizers.LossScaleOptimizer(optimizers.Adam(1e-3), initial_scale=2.0**22)
    return Program(compiled(model, optimizer, SPARSE, "accuracy"), *digits())


@healthy("loss-scale-stall", policy="mixed_float16")
def loss_scaling_from_high_up() -> Program:
    model = stack((8, 8, 1), layers.Conv2D(12, 3, activation="relu"), layers.Flatten(), Dense(10),
                  layers.Activation("softmax", dtype="float32"))  # fmt: skip
    optimizer = optimizers.LossScaleOptimizer(optimizers.SGD(0.1), initial_scale=2.0**20)
    return Program(compiled(model, optimizer, SPARSE, "accuracy"), *images())


@healthy("underflow", policy="mixed_float16")
def relu_in_float16() -> Program:
    model = stack((64,), Dense(128, activation="relu"), Dense(64, activation="relu"), Dense(10),
                  layers.Activation("softmax", dtype="float32"))  # fmt: skip
    return Program(compiled(model, optimizers.RMSprop(1e-3), SPARSE, "accuracy"), *digits())


@healthy("underflow", policy="mixed_bfloat16")
def bfloat16_with_wide_variables() -> Program:
    model = stack((30,), Dense(32, activation="relu"), Dense(1),
                  layers.Activation("sigmoid", dtype="float32"))  # fmt: skip
    program = compiled(model, optimizers.AdamW(2e-3), BINARY, "accuracy")
    return Program(program, *cancer(), epochs=15)


@healthy("underflow", policy="bfloat16")
def bfloat16_with_large_steps() -> Program:
    model = stack((64,), Dense(48, activation="relu"), softmax())
    return Program(compiled(model, optimizers.SGD(0.2), SPARSE, "accuracy"), *digits())


# Learning rates that look wrong.


@healthy("learning-rate-too-high")
def a_high_rate_that_is_right() -> Program:
    model = stack((64,), Dense(48, activation="tanh"), softmax())
    return Program(compiled(model, optimizers.SGD(0.8), SPARSE, "accuracy"), *digits())


@healthy("learning-rate-too-high")
def one_example_at_a_time() -> Program:
    model = stack((13,), Dense(16, activation="relu"), softmax(3))
    program = compiled(model, optimizers.SGD(0.005), SPARSE, "accuracy")
    return Program(program, *wine(), epochs=12, batch_size=1)


@healthy("learning-rate-too-high")
def a_rate_that_restarts() -> Program:
    schedule = optimizers.schedules.CosineDecayRestarts(0.3, 100)
    model = stack((64,), Dense(48, activation="relu"), softmax())
    return Program(compiled(model, optimizers.SGD(schedule), SPARSE, "accuracy"), *digits())


@healthy("learning-rate-too-high")
def lion() -> Program:
    model = stack((64,), Dense(48, activation="relu"), softmax())
    return Program(compiled(model, optimizers.Lion(1e-3), SPARSE, "accuracy"), *digits())


@healthy("learning-rate-too-low")
def a_wide_layer_that_hardly_moves() -> Program:
    model = stack((64,), Dense(2048, activation="relu"), softmax())
    return Program(compiled(model, optimizers.SGD(0.02), SPARSE, "accuracy"), *digits())


@healthy("learning-rate-too-low")
def warm_up() -> Program:
    schedule = optimizers.schedules.CosineDecay(1e-5, 400, warmup_target=3e-3, warmup_steps=150)
    model = stack((64,), Dense(48, activation="relu"), softmax())
    return Program(compiled(model, optimizers.Adam(schedule), SPARSE, "accuracy"), *digits())


@healthy("learning-rate-too-low")
def fine_tuning_with_a_tiny_rate() -> Program:
    x, y = digits()
    model = stack((64,), Dense(48, activation="relu"), softmax())
    compiled(model, "adam", SPARSE, "accuracy").fit(x, y, epochs=12, verbose=0)
    return Program(compiled(model, optimizers.Adam(1e-5), SPARSE, "accuracy"), x, y)


@healthy("learning-rate-starved")
def adagrad_that_arrives() -> Program:
    model = stack((64,), Dense(48, activation="relu"), softmax())
    program = compiled(model, optimizers.Adagrad(0.05), SPARSE, "accuracy")
    return Program(program, *digits(), epochs=15)


@healthy("learning-rate-starved")
def a_schedule_that_ends() -> Program:
    schedule = optimizers.schedules.ExponentialDecay(0.3, 60, 0.3)
    model = stack((30,), Dense(24, activation="relu"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.SGD(schedule), BINARY, "accuracy"), *cancer())


# Layers that look idle.


@healthy("dead-layer")
def wide_and_sparse() -> Program:
    sparse = initializers.Constant(-0.5)
    model = stack((64,), Dense(512, activation="relu", bias_initializer=sparse), softmax())
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits())


@healthy("dead-layer")
def frozen_layers() -> Program:
    x, y = digits()
    base = stack((64,), Dense(64, activation="relu"), Dense(64, activation="relu"))
    model = stack((64,), base, softmax())
    compiled(model, "adam", SPARSE, "accuracy").fit(x[:900], y[:900], epochs=10, verbose=0)
    base.trainable = False
    return Program(compiled(model, optimizers.Adam(1e-3), SPARSE, "accuracy"), x[900:], y[900:])


@healthy("dead-layer")
def heavy_dropout() -> Program:
    hidden = [
        part for _ in range(2) for part in (Dense(128, activation="relu"), layers.Dropout(0.6))
    ]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits(), epochs=15)


@healthy("saturated-layer")
def a_classifier_that_is_sure() -> Program:
    model = stack((30,), Dense(32, activation="tanh"), Dense(1, activation="sigmoid"))
    program = compiled(model, optimizers.Adam(0.01), BINARY, "accuracy")
    return Program(program, *cancer(), epochs=40)


@healthy("saturated-layer")
def tanh_with_large_weights() -> Program:
    large = initializers.RandomNormal(stddev=0.4)
    model = stack((64,), Dense(64, activation="tanh", kernel_initializer=large), softmax())
    return Program(compiled(model, optimizers.Adam(3e-3), SPARSE, "accuracy"), *digits())


@healthy("unreached-variable")
def sparse_embeddings() -> Program:
    model = stack((20,), layers.Embedding(3000, 16), layers.GlobalAveragePooling1D(),
                  Dense(16, activation="relu"), Dense(1, activation="sigmoid"),
                  dtype="int32")  # fmt: skip
    program = compiled(model, optimizers.Adam(0.01), BINARY, "accuracy")
    return Program(program, *tokens(), epochs=8)


@healthy("unreached-variable")
def attention() -> Program:
    inputs = keras.Input((20,), dtype="int32")
    x = layers.Embedding(300, 16)(inputs)
    x = layers.LayerNormalization()(layers.Add()([x, layers.MultiHeadAttention(2, 8)(x, x)]))
    outputs = Dense(1, activation="sigmoid")(layers.GlobalMaxPooling1D()(x))
    program = compiled(keras.Model(inputs, outputs), optimizers.AdamW(3e-3), BINARY, "accuracy")
    return Program(program, *tokens(words=300), epochs=10)


@healthy("unreached-variable")
def two_heads() -> Program:
    x, y = digits()
    inputs = keras.Input((64,))
    hidden = Dense(64, activation="relu")(inputs)
    model = keras.Model(inputs, [softmax()(hidden), Dense(1)(hidden)])
    model.compile("adam", [SPARSE, "mse"], metrics=[["accuracy"], []])
    return Program(model, x, [y, standard(y)[:, None]])


# Losses that stand, or go to and fro.


@healthy("plateau")
def converged_long_ago() -> Program:
    model = stack((13,), Dense(32, activation="relu"), softmax(3))
    program = compiled(model, optimizers.Adam(0.01), SPARSE, "accuracy")
    return Program(program, *wine(), epochs=60)


@healthy("plateau")
def more_noise_than_signal() -> Program:
    model = stack((6,), Dense(16, activation="relu"), Dense(1))
    return Program(compiled(model, "adam", "mse"), *surface(2000, noise=2.0), epochs=12)


@healthy("plateau")
def a_rare_class() -> Program:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 8)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 2.4).astype("float32")
    model = stack((8,), Dense(16, activation="relu"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(3e-3), BINARY, "accuracy"), x, y)


class Adversaries(keras.Model):
    """A generator and a discriminator of points in the plane."""

    def __init__(self) -> None:
        super().__init__()
        self.generator = stack((4,), Dense(16, activation="relu"), Dense(2))
        self.discriminator = stack((2,), Dense(16, activation="relu"), Dense(1))
        self.cross = keras.losses.BinaryCrossentropy(from_logits=True)
        self.built = True

    def call(self, x: Any) -> Any:
        return self.discriminator(x)

    def compute_loss(self, x: Any = None, *_: Any, **__: Any) -> Any:
        made = self.generator(keras.random.normal((32, 4)))
        # The gradient turns its sign on the way to the generator.
        turned = 2 * ops.stop_gradient(made) - made
        seen, thought = self.discriminator(x), self.discriminator(turned)
        return self.cross(ops.ones_like(seen), seen) + self.cross(ops.zeros_like(thought), thought)


@healthy("oscillation")
def adversaries() -> Program:
    x = np.random.default_rng(3).normal([2, 1], 0.5, (1600, 2)).astype("float32")
    model = Adversaries()
    return Program(compiled(model, optimizers.Adam(1e-3), None), x, None)


@healthy("oscillation")
def small_batches() -> Program:
    model = stack((10,), Dense(16, activation="relu"), Dense(1))
    program = compiled(model, optimizers.SGD(0.01), "mse")
    return Program(program, *diabetes(), epochs=12, batch_size=4)


@healthy("oscillation")
def gru_on_noise_and_signal() -> Program:
    model = stack((16, 3), layers.GRU(12), Dense(1, activation="sigmoid"))
    program = compiled(model, optimizers.RMSprop(5e-3), BINARY, "accuracy")
    return Program(program, *sequences())


# Smells that do no harm.


@healthy("unscaled-inputs")
def pixels_up_to_sixteen() -> Program:
    x, y = digits()
    model = stack((64,), Dense(64, activation="relu"), softmax())
    return Program(compiled(model, optimizers.Adam(1e-3), SPARSE, "accuracy"), 16 * x, y)


@healthy("unscaled-inputs")
def raw_inputs_that_are_normalized() -> Program:
    x, y = wine(raw=True)
    scale = layers.Normalization()
    scale.adapt(x)
    model = stack((13,), scale, Dense(16, activation="relu"), softmax(3))
    program = compiled(model, optimizers.Adam(0.01), SPARSE, "accuracy")
    return Program(program, x, y, epochs=25, batch_size=16)


@healthy("poor-initialization")
def large_weights_that_do_no_harm() -> Program:
    large = initializers.RandomNormal(stddev=1.0)
    model = stack((13,), Dense(16, activation="relu", kernel_initializer=large), softmax(3))
    program = compiled(model, optimizers.Adam(0.01), SPARSE, "accuracy")
    return Program(program, *wine(), epochs=30, batch_size=16)


@healthy("poor-initialization")
def an_output_that_begins_at_zero() -> Program:
    model = stack((64,), Dense(48, activation="relu"), softmax(kernel_initializer="zeros"))
    return Program(compiled(model, optimizers.Adam(1e-3), SPARSE, "accuracy"), *digits())


@healthy("poor-initialization")
def small_weights_that_are_normalized() -> Program:
    small = initializers.RandomNormal(stddev=0.01)
    hidden = [
        part
        for _ in range(3)
        for part in (
            Dense(32, kernel_initializer=small),
            layers.BatchNormalization(),
            layers.ReLU(),
        )
    ]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, optimizers.Adam(1e-3), SPARSE, "accuracy"), *digits())


@healthy("wrong-output-or-loss")
def squared_error_of_a_softmax() -> Program:
    x, y = wine()
    model = stack((13,), Dense(16, activation="relu"), softmax(3))
    program = compiled(model, optimizers.Adam(0.01), "mse", "accuracy")
    return Program(program, x, hot(y), epochs=25, batch_size=16)


@healthy("wrong-output-or-loss")
def logits_that_are_announced() -> Program:
    model = stack((30,), Dense(16, activation="relu"), Dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    x, y = cancer()
    return Program(compiled(model, optimizers.Adam(5e-3), loss), x, y[:, None])


@healthy("wrong-output-or-loss")
def a_tanh_for_numbers_in_its_range() -> Program:
    x, y = surface()
    model = stack((6,), Dense(32, activation="relu"), Dense(1, activation="tanh"))
    program = compiled(model, optimizers.Adam(0.01), "mse")
    return Program(program, x, y / np.abs(y).max(), epochs=15)


@healthy("wrong-output-or-loss")
def several_right_answers() -> Program:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(1200, 8)).astype("float32")
    y = (x[:, :3] > 0.3).astype("float32")
    model = stack((8,), Dense(24, activation="relu"), Dense(3, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(5e-3), BINARY), x, y)


@healthy("wrong-output-or-loss")
def an_autoencoder() -> Program:
    x, _ = digits()
    model = stack((64,), Dense(24, activation="relu"), Dense(64, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(5e-3), "mse"), x, x, epochs=15)


@healthy()
def plain_moons() -> Program:
    model = stack((2,), Dense(24, activation="relu"), Dense(24, activation="relu"),
                  Dense(1, activation="sigmoid"))  # fmt: skip
    return Program(compiled(model, optimizers.Nadam(5e-3), BINARY, "accuracy"), *moons(), epochs=15)


@healthy()
def plain_convolutions() -> Program:
    model = stack((8, 8, 1), layers.Conv2D(16, 3, activation="relu"), layers.MaxPooling2D(),
                  layers.Flatten(), Dense(32, activation="relu"), softmax())  # fmt: skip
    return Program(compiled(model, optimizers.Adam(2e-3), SPARSE, "accuracy"), *images())

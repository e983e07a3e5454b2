"""Programs that are broken in a known way, a fault each."""

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
    faulty,
    images,
    moons,
    rings,
    sequences,
    stack,
    surface,
    wine,
)

SPARSE = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def softmax(units: int = 10, **options: Any) -> Any:
    return Dense(units, activation="softmax", **options)


def normal(std: float) -> Any:
    return initializers.RandomNormal(stddev=std)


# Gradients that fade or grow.


@faulty("vanishing-gradient")
def sigmoid_tower_on_digits() -> Program:
    hidden = [Dense(24, activation="sigmoid") for _ in range(9)]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, optimizers.SGD(0.05), SPARSE, "accuracy"), *digits())


@faulty("vanishing-gradient")
def sigmoid_tower_on_moons() -> Program:
    hidden = [Dense(8, activation="sigmoid") for _ in range(8)]
    model = stack((2,), *hidden, Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.RMSprop(1e-3), BINARY, "accuracy"), *moons())


@faulty("vanishing-gradient")
def sigmoid_convolutions() -> Program:
    hidden = [layers.Conv2D(8, 3, padding="same", activation="sigmoid") for _ in range(7)]
    model = stack((8, 8, 1), *hidden, layers.GlobalAveragePooling2D(), softmax())
    optimizer = optimizers.SGD(0.05, momentum=0.9)
    return Program(compiled(model, optimizer, SPARSE, "accuracy"), *images(), epochs=5)


@faulty("exploding-gradient", "nonfinite", "learning-rate-too-high")
def recurrence_that_grows() -> Program:
    grows = initializers.Orthogonal(gain=1.6)
    model = stack(
        (40, 3),
        layers.SimpleRNN(24, activation="linear", recurrent_initializer=grows),
        Dense(1),
    )
    x, y = sequences(length=40)
    return Program(compiled(model, optimizers.SGD(0.01), "mse"), x, y[:, None], epochs=4)


@faulty("exploding-gradient", "nonfinite", "poor-initialization")
def deep_and_far_too_large() -> Program:
    hidden = [Dense(32, activation="relu", kernel_initializer=normal(1.5)) for _ in range(7)]
    model = stack((6,), *hidden, Dense(1))
    return Program(compiled(model, optimizers.SGD(1e-3), "mse"), *surface())


@faulty("exploding-gradient", "nonfinite", "learning-rate-too-high")
def regression_of_thousands() -> Program:
    model = stack((6,), Dense(32, activation="relu"), Dense(32, activation="relu"), Dense(1))
    return Program(compiled(model, optimizers.SGD(0.01), "mse"), *surface(scale=3000.0))


# Numbers that are none, or are lost.


@faulty("nonfinite")
def nan_in_the_inputs() -> Program:
    x, y = digits()
    x = x.copy()
    x[1000, 20] = np.nan
    model = stack((64,), Dense(32, activation="tanh"), softmax())
    return Program(compiled(model, "adam", SPARSE, "accuracy"), x, y, epochs=4)


@faulty("nonfinite")
def logarithm_of_zero() -> Program:
    def loss(y: Any, p: Any) -> Any:
        return -ops.mean(y * ops.log(p) + (1 - y) * ops.log(1 - p), axis=-1)

    model = stack((30,), Dense(16, activation="relu"), Dense(1, activation="hard_sigmoid"))
    x, y = cancer()
    return Program(compiled(model, optimizers.Adam(0.05), loss), x, y[:, None])


@faulty("nonfinite")
def root_of_zero() -> Program:
    def loss(y: Any, p: Any) -> Any:
        return ops.sqrt(ops.mean(ops.square(y - p), axis=-1))

    x, y = surface()
    y = np.where(np.abs(y) < 0.1, 0, y)
    model = stack((6,), Dense(16, activation="relu"), Dense(1, kernel_initializer="zeros"))
    return Program(compiled(model, optimizers.SGD(0.01), loss), x, y, epochs=4)


@faulty("underflow", "learning-rate-too-low", policy="bfloat16")
def updates_below_bfloat16() -> Program:
    model = stack((64,), Dense(32, activation="relu"), softmax())
    return Program(compiled(model, optimizers.Adam(1e-5), SPARSE, "accuracy"), *digits())


@faulty("underflow", "learning-rate-too-low", policy="float16")
def updates_below_float16() -> Program:
    model = stack((30,), Dense(16, activation="tanh"), Dense(1, activation="sigmoid"))
    optimizer = optimizers.SGD(1e-5)
    x, y = cancer()
    return Program(compiled(model, optimizer, BINARY, "accuracy", auto_scale_loss=False), x, y)


@faulty("loss-scale-stall", policy="mixed_float16")
def every_step_is_skipped_for_nan() -> Program:
    x, y = digits()
    x = x.copy()
    x[::8] = np.nan
    model = stack((64,), Dense(32, activation="relu"), Dense(10), layers.Activation("softmax"))
    return Program(compiled(model, "adam", SPARSE, "accuracy"), x, y, epochs=4)


@faulty("loss-scale-stall", policy="mixed_float16")
def every_step_is_skipped_for_its_size() -> Program:
    def loss(y: Any, p: Any) -> Any:
        return 1e30 * ops.mean(ops.square(ops.cast(y - p, "float32")), axis=-1)

    model = stack((6,), Dense(32, activation="relu"), Dense(1))
    return Program(compiled(model, "adam", loss), *surface(), epochs=4)


# Learning rates.


@faulty("learning-rate-too-high", "oscillation")
def digits_thrown_about() -> Program:
    model = stack((64,), Dense(48, activation="tanh"), softmax())
    return Program(compiled(model, optimizers.SGD(30.0), SPARSE, "accuracy"), *digits())


@faulty("learning-rate-too-high", "exploding-gradient", "nonfinite")
def momentum_that_diverges() -> Program:
    model = stack((10,), Dense(16, activation="relu"), Dense(1))
    optimizer = optimizers.SGD(0.5, momentum=0.95)
    return Program(compiled(model, optimizer, "mse"), *diabetes(), batch_size=16)


@faulty("learning-rate-too-high", "oscillation")
def adam_in_leaps() -> Program:
    hidden = [Dense(16, activation="tanh") for _ in range(3)]
    model = stack((2,), *hidden, Dense(1, activation="sigmoid"))
    program = compiled(model, optimizers.Adam(3.0), BINARY, "accuracy")
    return Program(program, *moons(), epochs=15)


@faulty("oscillation", "learning-rate-too-high")
def to_and_fro_on_wine() -> Program:
    model = stack((13,), Dense(16, activation="relu"), softmax(3))
    program = compiled(model, optimizers.SGD(1.5, momentum=0.9), SPARSE, "accuracy")
    return Program(program, *wine(), epochs=30, batch_size=16)


@faulty("oscillation", "learning-rate-too-high")
def to_and_fro_on_a_surface() -> Program:
    model = stack((6,), Dense(32, activation="tanh"), Dense(1))
    return Program(compiled(model, optimizers.RMSprop(0.3), "mse"), *surface(), epochs=15)


@faulty("learning-rate-too-low")
def digits_at_a_snails_pace() -> Program:
    model = stack((64,), Dense(48, activation="relu"), softmax())
    return Program(compiled(model, optimizers.SGD(2e-5), SPARSE, "accuracy"), *digits())


@faulty("learning-rate-too-low")
def diabetes_at_a_snails_pace() -> Program:
    model = stack((10,), Dense(24, activation="relu"), Dense(1))
    return Program(compiled(model, optimizers.AdamW(3e-6), "mse"), *diabetes(), epochs=25)


@faulty("learning-rate-too-low")
def convolutions_at_a_snails_pace() -> Program:
    model = stack(
        (8, 8, 1),
        layers.Conv2D(12, 3, activation="relu"),
        layers.Flatten(),
        softmax(),
    )
    return Program(compiled(model, optimizers.RMSprop(1e-6), SPARSE, "accuracy"), *images())


@faulty("learning-rate-starved", "learning-rate-too-low")
def an_outlier_that_adagrad_never_forgets() -> Program:
    x, y = surface()
    x = x.copy()
    x[0] *= 1e5
    model = stack((6,), Dense(24, activation="tanh"), Dense(1))
    y = y.copy()
    y[0] = 1e6
    program = compiled(model, optimizers.Adagrad(0.01), "mse")
    return Program(program, x, y, fit={"shuffle": False})


@faulty("learning-rate-starved", "learning-rate-too-low")
def a_first_loss_that_adagrad_never_forgets() -> Program:
    x, y = digits()
    x = x.copy()
    x[:32] *= 3e4
    model = stack((64,), Dense(32, activation="relu"), softmax())
    program = compiled(model, optimizers.Adagrad(0.005), SPARSE, "accuracy")
    return Program(program, x, y, fit={"shuffle": False})


# Layers that pass nothing.


@faulty("dead-layer")
def biases_that_kill() -> Program:
    model = stack(
        (64,),
        Dense(32, activation="relu", bias_initializer=initializers.Constant(-20.0)),
        softmax(),
    )
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits())


@faulty("dead-layer", "learning-rate-too-high")
def a_shock_at_the_start() -> Program:
    shock = optimizers.schedules.PiecewiseConstantDecay([20], [5.0, 1e-3])
    model = stack((30,), Dense(16, activation="relu"), Dense(16, activation="relu"),
                  Dense(1, activation="sigmoid"))  # fmt: skip
    return Program(compiled(model, optimizers.SGD(shock), BINARY, "accuracy"), *_large(cancer()))


def _large(data: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    return 8 * data[0], data[1]


@faulty("dead-layer")
def dead_convolutions() -> Program:
    model = stack(
        (8, 8, 1),
        layers.Conv2D(8, 3, activation="relu"),
        layers.Conv2D(8, 3, activation="relu", bias_initializer=initializers.Constant(-5.0)),
        layers.Flatten(),
        softmax(),
    )
    return Program(compiled(model, optimizers.Nadam(1e-3), SPARSE, "accuracy"), *images())


@faulty("saturated-layer", "poor-initialization")
def tanh_at_its_ends() -> Program:
    hidden = [Dense(32, activation="tanh", kernel_initializer=normal(10.0)) for _ in range(3)]
    model = stack((64,), *hidden, softmax())
    return Program(compiled(model, optimizers.SGD(1e-3), SPARSE, "accuracy"), *digits())


@faulty("saturated-layer", "unscaled-inputs")
def sigmoids_of_thousands() -> Program:
    x, y = surface()
    model = stack((6,), Dense(24, activation="sigmoid"), Dense(24, activation="sigmoid"), Dense(1))
    return Program(compiled(model, optimizers.SGD(0.01), "mse"), 3000 * x, y)


@faulty("saturated-layer", "wrong-output-or-loss")
def an_output_at_its_end() -> Program:
    model = stack((6,), Dense(24, activation="relu"), Dense(1, activation="tanh"))
    program = compiled(model, optimizers.Adam(0.01), "mse")
    return Program(program, *surface(scale=100.0), epochs=20)


@faulty("unreached-variable")
def a_branch_without_gradient() -> Program:
    inputs = keras.Input((64,))
    branch = Dense(16, activation="relu")(Dense(32, activation="tanh")(inputs))
    cut = layers.Lambda(ops.stop_gradient)(branch)
    merged = layers.Concatenate()([cut, Dense(32, activation="relu")(inputs)])
    model = keras.Model(inputs, softmax()(merged))
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits())


class Forgetful(keras.Model):
    """Has a layer that it does not call."""

    def __init__(self) -> None:
        super().__init__()
        self.idle = Dense(16)
        self.hidden = Dense(32, activation="relu")
        self.out = softmax()

    def build(self, shape: Any) -> None:
        self.idle.build(shape)
        self.hidden.build(shape)
        self.out.build((None, 32))
        self.built = True

    def call(self, x: Any) -> Any:
        return self.out(self.hidden(x))


@faulty("unreached-variable")
def a_layer_that_is_not_called() -> Program:
    model = Forgetful()
    model.build((None, 64))
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits())


@faulty("plateau")
def labels_without_meaning() -> Program:
    x, y = moons(3000)
    model = stack((2,), Dense(8, activation="relu"), Dense(1, activation="sigmoid"))
    shuffled = np.random.default_rng(0).permutation(y)
    return Program(compiled(model, optimizers.SGD(0.1), BINARY, "accuracy"), x, shuffled)


@faulty("plateau")
def inputs_without_meaning() -> Program:
    _, y = surface(3000)
    x = np.random.default_rng(1).normal(size=(3000, 6)).astype("float32")
    model = stack((6,), Dense(8, activation="tanh"), Dense(1))
    return Program(compiled(model, optimizers.SGD(0.05), "mse"), x, y)


# Inputs and weights.


@faulty("unscaled-inputs")
def wine_as_it_comes() -> Program:
    model = stack((13,), Dense(24, activation="relu"), softmax(3))
    program = compiled(model, optimizers.SGD(0.01), SPARSE, "accuracy")
    return Program(program, *wine(raw=True), epochs=30, batch_size=16)


@faulty("unscaled-inputs")
def cells_as_they_come() -> Program:
    model = stack((30,), Dense(24, activation="tanh"), Dense(1, activation="sigmoid"))
    program = compiled(model, optimizers.RMSprop(1e-4), BINARY, "accuracy")
    x, y = cancer(raw=True)
    return Program(program, 30 * x, y, epochs=12)


@faulty("unscaled-inputs")
def features_of_every_size() -> Program:
    x, y = surface()
    sizes = np.array([1.0, 0.1, 0.1, 0.01, 1e4, 3e3], "float32")
    model = stack((6,), Dense(24, activation="relu"), Dense(1))
    return Program(compiled(model, optimizers.Adam(1e-3), "mse"), x * sizes, y, epochs=15)


@faulty("poor-initialization", "dead-layer")
def weights_of_zero() -> Program:
    hidden = [Dense(24, activation="tanh", kernel_initializer="zeros") for _ in range(3)]
    model = stack((64,), *hidden, softmax(kernel_initializer="zeros"))
    return Program(compiled(model, "adam", SPARSE, "accuracy"), *digits())


@faulty("poor-initialization")
def weights_all_alike() -> Program:
    same = initializers.Constant(0.3)
    hidden = [Dense(16, activation="tanh", kernel_initializer=same) for _ in range(2)]
    model = stack((2,), *hidden, Dense(1, activation="sigmoid", kernel_initializer=same))
    return Program(compiled(model, optimizers.SGD(0.1), BINARY, "accuracy"), *rings(), epochs=15)


@faulty("poor-initialization", "vanishing-gradient")
def weights_next_to_nothing() -> Program:
    hidden = [Dense(24, activation="tanh", kernel_initializer=normal(2e-3)) for _ in range(4)]
    model = stack((30,), *hidden, Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.SGD(0.05), BINARY, "accuracy"), *cancer())


@faulty("poor-initialization")
def weights_far_too_large() -> Program:
    hidden = [Dense(128, activation="relu", kernel_initializer=normal(1.0)) for _ in range(3)]
    model = stack((64,), *hidden, softmax(kernel_initializer=normal(1.0)))
    return Program(compiled(model, optimizers.Adam(1e-4), SPARSE, "accuracy"), *digits(), epochs=5)


# Outputs and losses.


@faulty("wrong-output-or-loss")
def a_softmax_of_one() -> Program:
    model = stack((30,), Dense(16, activation="relu"), Dense(1, activation="softmax"))
    return Program(compiled(model, optimizers.Adam(1e-3), BINARY, "accuracy"), *cancer())


@faulty("wrong-output-or-loss")
def a_sigmoid_for_any_number() -> Program:
    model = stack((6,), Dense(24, activation="relu"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(1e-2), "mse"), *surface())


@faulty("wrong-output-or-loss")
def logits_for_probabilities() -> Program:
    model = stack((64,), Dense(48, activation="relu"), Dense(10))
    return Program(compiled(model, optimizers.Adam(1e-3), SPARSE, "accuracy"), *digits())


@faulty("wrong-output-or-loss")
def classes_one_and_two() -> Program:
    x, y = cancer()
    model = stack((30,), Dense(16, activation="relu"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.SGD(0.01), BINARY, "accuracy"), x, y + 1)


@faulty("wrong-output-or-loss")
def layers_without_activation() -> Program:
    model = stack((2,), Dense(32), Dense(32), Dense(1, activation="sigmoid"))
    return Program(compiled(model, optimizers.Adam(0.01), BINARY, "accuracy"), *rings())


@faulty("wrong-output-or-loss")
def softmax_after_softmax() -> Program:
    model = stack((64,), Dense(32, activation="softmax"), softmax(32), softmax())
    return Program(compiled(model, optimizers.SGD(0.05), SPARSE, "accuracy"), *digits())

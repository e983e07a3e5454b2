"""Programs that learn, written without sight of the rules; `like` is what each might be taken for."""

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

SGD = keras.optimizers.SGD
Adam = keras.optimizers.Adam
Dense = layers.Dense
CROSS = "sparse_categorical_crossentropy"
BINARY = "binary_crossentropy"


def hidden(number: int, width: int, activation: Any = "relu", **options: Any) -> list[Any]:
    return [Dense(width, activation=activation, **options) for _ in range(number)]


def gaussian(deviation: float, mean: float = 0.0) -> Any:
    return keras.initializers.RandomNormal(mean, deviation)


def blobs(number: int = 600, classes: int = 4, spread: float = 1.0) -> Any:
    x, y = datasets.make_blobs(number, 8, centers=classes, cluster_std=spread, random_state=41)
    return standard(x), y


# Depth and gradients of every size


@healthy("vanishing-gradient")
def deep_selu() -> Program:
    x, y = digits()
    tower = hidden(10, 32, "selu", kernel_initializer="lecun_normal")
    model = stack((64,), *tower, Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(0.02, momentum=0.9), CROSS, "accuracy"), x, y)


@healthy("vanishing-gradient")
def eight_tanh_layers_of_glorot() -> Program:
    x, y = moons()
    model = stack((2,), *hidden(8, 24, "tanh"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(3e-3), BINARY, "accuracy"), x, y, epochs=12)


@healthy("vanishing-gradient")
def three_sigmoid_layers_under_adam() -> Program:
    # A long plateau, then it learns.
    x, y = digits()
    model = stack((64,), *hidden(3, 32, "sigmoid"), Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(0.01), CROSS, "accuracy"), x, y, epochs=15)


@healthy("vanishing-gradient")
def a_u_with_skips() -> Program:
    # Segmentation: which pixels are ink.
    x, _ = images()
    rng = np.random.default_rng(42)
    noisy = (x + 0.3 * rng.normal(size=x.shape)).astype("float32")
    conv: Any = {"padding": "same", "activation": "relu"}
    inputs = keras.Input((8, 8, 1))
    top = layers.Conv2D(8, 3, **conv)(inputs)
    low = layers.Conv2D(16, 3, **conv)(layers.MaxPooling2D()(top))
    deep = layers.Conv2D(16, 3, **conv)(layers.MaxPooling2D()(low))
    up = layers.Concatenate()([layers.UpSampling2D()(deep), low])
    up = layers.Conv2D(16, 3, **conv)(up)
    up = layers.Concatenate()([layers.UpSampling2D()(up), top])
    outputs = layers.Conv2D(1, 3, padding="same", activation="sigmoid")(up)
    model = compiled(keras.Model(inputs, outputs), Adam(3e-3), BINARY, "accuracy")
    return Program(model, noisy, (x > 0.5).astype("float32"), epochs=4)


@healthy("exploding-gradient")
def an_lstm_with_clipped_norms() -> Program:
    x, y = sequences(length=24)
    model = stack((24, 3), layers.LSTM(16), Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.RMSprop(0.01, clipnorm=1.0)
    return Program(compiled(model, optimizer, BINARY, "accuracy"), x, y)


@healthy("exploding-gradient")
def rent_in_units_of_thousands() -> Program:
    # A large loss because of the target's unit; Adam does not mind, the mean is preset.
    x, y = surface()
    y = 1200 + 300 * y
    mean = keras.initializers.Constant(float(y.mean()))
    model = stack((6,), *hidden(2, 64), Dense(1, bias_initializer=mean))
    return Program(compiled(model, Adam(0.05), "mse", "mae"), x, y, epochs=12)


@healthy("exploding-gradient")
def heavy_tails_under_huber() -> Program:
    x, y = surface()
    rng = np.random.default_rng(43)
    y = y + (0.3 * rng.standard_t(1.5, size=y.shape)).astype("float32")
    model = stack((6,), *hidden(2, 32), Dense(1))
    return Program(compiled(model, SGD(0.05, momentum=0.9), keras.losses.Huber()), x, y)


@healthy("exploding-gradient", policy="float64")
def six_scaled_residual_blocks_in_double() -> Program:
    x, y = wine()
    inputs = keras.Input((13,))
    h = Dense(24)(inputs)
    for _ in range(6):
        h = h + 0.3 * Dense(24)(Dense(24, activation="gelu")(h))
    model = keras.Model(inputs, Dense(3, activation="softmax")(h))
    return Program(compiled(model, Adam(1e-3), CROSS, "accuracy"), x, y, epochs=20)


# Numbers and their types


@healthy("nonfinite")
def logits_of_any_size() -> Program:
    x, y = blobs(spread=0.5)
    model = stack((8,), Dense(4))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Program(compiled(model, SGD(5.0), loss, "accuracy"), x, y, epochs=15)


@healthy("nonfinite")
def gaps_that_are_masked() -> Program:
    # NaN in the data is filled in by the model before anything is done with it.
    x, y = cancer()
    x[np.random.default_rng(44).uniform(size=x.shape) < 0.1] = np.nan
    inputs = keras.Input((30,))
    gap = ops.isnan(inputs)
    filled = ops.where(gap, ops.zeros_like(inputs), inputs)
    h = ops.concatenate([filled, ops.cast(gap, "float32")], axis=1)
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(Dense(16, activation="relu")(h)))
    return Program(compiled(model, Adam(3e-3), BINARY, "accuracy"), x, y)


@healthy("underflow", policy="mixed_float16")
def a_small_loss_in_half_precision() -> Program:
    # The loss scale is what it is for.
    x, y = surface(scale=0.05)
    model = stack((6,), *hidden(2, 32, "tanh"), Dense(1, dtype="float32"))
    return Program(compiled(model, Adam(3e-3), "mse"), x, y, epochs=12)


@healthy("underflow", policy="mixed_float16")
def convolutions_in_half_precision() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, padding="same", use_bias=False),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.MaxPooling2D(),
        layers.Flatten(),
        Dense(10, activation="softmax", dtype="float32"),
    )
    return Program(compiled(model, SGD(0.05, momentum=0.9), CROSS, "accuracy"), x, y, epochs=6)


@healthy("underflow", policy="mixed_bfloat16")
def a_gru_in_brain_floats() -> Program:
    x, y = sequences()
    model = stack((16, 3), layers.GRU(16), Dense(1, activation="sigmoid", dtype="float32"))
    return Program(compiled(model, keras.optimizers.Nadam(0.01), BINARY, "accuracy"), x, y)


@healthy("underflow", policy="mixed_bfloat16")
def embeddings_in_brain_floats() -> Program:
    x, y = tokens(words=500)
    net = [layers.Embedding(500, 16), layers.GlobalMaxPooling1D(), *hidden(1, 16)]
    model = stack((20,), *net, Dense(1, activation="sigmoid", dtype="float32"), dtype="int32")
    return Program(compiled(model, Adam(0.01), BINARY, "accuracy"), x, y)


@healthy("underflow")
def an_epsilon_of_a_tenth() -> Program:
    # As the documentation suggests for some tasks; the rate makes up for it.
    x, y = digits()
    model = stack((64,), *hidden(1, 64), Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(0.1, epsilon=0.1), CROSS, "accuracy"), x, y)


@healthy("loss-scale-stall", policy="mixed_float16")
def a_scale_that_starts_too_high() -> Program:
    # The first dozen steps are skipped, then all is well.
    x, y = digits()
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax", dtype="float32"))
    optimizer = keras.optimizers.LossScaleOptimizer(Adam(3e-3), initial_scale=2.0**27)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y, epochs=8)


@healthy("loss-scale-stall", policy="mixed_float16")
def a_scale_that_grows_often() -> Program:
    # It is doubled every 40 steps, and now and then that is one too many.
    x, y = surface()
    model = stack((6,), *hidden(2, 32), Dense(1, dtype="float32"))
    optimizer = keras.optimizers.LossScaleOptimizer(SGD(0.02), dynamic_growth_steps=40)
    return Program(compiled(model, optimizer, "mse"), x, y, epochs=15)


# Rates


@healthy("learning-rate-too-high")
def one_cycle() -> Program:
    x, y = images()
    rate = keras.optimizers.schedules.CosineDecay(
        1e-3, 300, warmup_target=0.3, warmup_steps=120, alpha=1e-3
    )
    net = [layers.Conv2D(8, 3), layers.BatchNormalization(), layers.ReLU(), layers.Flatten()]
    model = stack((8, 8, 1), *net, Dense(10, activation="softmax"))
    return Program(compiled(model, SGD(rate, momentum=0.9), CROSS, "accuracy"), x, y, epochs=7)


@healthy("learning-rate-too-high")
def adagrad_at_a_half() -> Program:
    x, y = cancer()
    model = stack((30,), *hidden(1, 16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, keras.optimizers.Adagrad(0.5), BINARY, "accuracy"), x, y)


@healthy("learning-rate-too-high")
def logistic_regression_at_one() -> Program:
    x, y = wine()
    model = stack((13,), Dense(3, activation="softmax"))
    return Program(compiled(model, SGD(1.0), CROSS, "accuracy"), x, y, epochs=20)


@healthy("learning-rate-too-low")
def a_small_rate_for_long() -> Program:
    # Slow and steady, and it arrives.
    x, y = blobs(spread=2.0)
    model = stack((8,), *hidden(1, 32), Dense(4, activation="softmax"))
    return Program(compiled(model, Adam(3e-4), CROSS, "accuracy"), x, y, epochs=40, batch_size=16)


@healthy("learning-rate-too-low")
def adadelta_at_one() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(1, 32), Dense(10, activation="softmax"))
    return Program(compiled(model, keras.optimizers.Adadelta(1.0), CROSS, "accuracy"), x, y)


@healthy("learning-rate-too-low")
def the_last_layers_of_a_trained_one() -> Program:
    # Fine-tuning what has learned from half of the classes; all layers, a small rate.
    x, y = digits()
    body = stack((64,), *hidden(2, 48))
    first = stack((64,), body, Dense(10, activation="softmax"))
    few = y < 5
    compiled(first, Adam(3e-3), CROSS).fit(x[few], y[few], epochs=8, verbose=0)
    model = stack((64,), body, Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(5e-4), CROSS, "accuracy"), x, y, epochs=12)


@healthy("learning-rate-starved")
def exponential_decay_that_ends_in_time() -> Program:
    x, y = surface()
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 30, 0.7)
    model = stack((6,), *hidden(2, 64), Dense(1))
    return Program(compiled(model, Adam(rate), "mse"), x, y, epochs=15)


@healthy("learning-rate-starved")
def adagrad_on_rare_words() -> Program:
    x, y = tokens(words=1000)
    net = [layers.Embedding(1000, 8), layers.Flatten()]
    model = stack((20,), *net, Dense(1, activation="sigmoid"), dtype="int32")
    return Program(compiled(model, keras.optimizers.Adagrad(0.3), BINARY, "accuracy"), x, y)


@healthy("learning-rate-starved")
def amsgrad_in_pieces() -> Program:
    x, y = diabetes()
    rate = keras.optimizers.schedules.PiecewiseConstantDecay([100, 200], [3e-3, 1e-3, 1e-4])
    model = stack((10,), *hidden(1, 16, "swish"), Dense(1))
    return Program(compiled(model, Adam(rate, amsgrad=True), "mse"), x, y, epochs=20)


# Units, layers and variables


@healthy("dead-layer")
def a_wide_relu_with_idle_units() -> Program:
    # Some units are dead after the biases' wide draw; there are enough others.
    x, y = rings()
    wide = hidden(1, 256, bias_initializer=gaussian(0.5))
    model = stack((2,), *wide, Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(0.01), BINARY, "accuracy"), x, y)


@healthy("dead-layer")
def sparse_codes() -> Program:
    # The penalty leaves few of the units active, as it should.
    x, _ = digits()
    code = Dense(64, activation="relu", activity_regularizer=keras.regularizers.L1(1e-4))
    model = stack((64,), code, Dense(64, activation="sigmoid"))
    return Program(compiled(model, Adam(3e-3), BINARY), x, x)


@healthy("dead-layer")
def pixels_that_are_always_blank() -> Program:
    # Leaky units, and a border that never has any ink.
    x, y = images()
    x = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    net = [layers.Flatten(), Dense(48), layers.LeakyReLU(negative_slope=0.1)]
    model = stack((12, 12, 1), *net, Dense(10, activation="softmax"))
    optimizer = keras.optimizers.AdamW(3e-3, weight_decay=0.01)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y, epochs=8)


@healthy("saturated-layer")
def gates_that_open_and_shut() -> Program:
    # A delayed copy: the gates have to be sure of themselves.
    rng = np.random.default_rng(45)
    x = rng.normal(size=(800, 12, 2)).astype("float32")
    x[:, :, 1] = 0
    x[np.arange(800), rng.integers(0, 6, 800), 1] = 1
    y = (x[:, :, :1] * x[:, :, 1:]).sum(axis=1)
    model = stack((12, 2), layers.LSTM(24), Dense(1))
    return Program(compiled(model, Adam(0.02), "mse"), x, y, epochs=15)


@healthy("saturated-layer")
def binary_codes() -> Program:
    # A steep sigmoid is asked for and gets what it needs.
    x, y = blobs(spread=0.6)
    model = stack((8,), Dense(16, activation=lambda h: ops.sigmoid(8 * h)), Dense(4, "softmax"))
    return Program(compiled(model, Adam(0.01), CROSS, "accuracy"), x, y)


@healthy("unreached-variable")
def a_frozen_body_that_has_learned() -> Program:
    x, y = digits()
    body = stack((64,), *hidden(1, 64))
    first = stack((64,), body, Dense(2, activation="softmax"))
    compiled(first, Adam(3e-3), CROSS).fit(x, y % 2, epochs=8, verbose=0)
    body.trainable = False
    model = stack((64,), body, Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(0.01), CROSS, "accuracy"), x, y)


@healthy("unreached-variable")
def a_target_network_that_stands_still() -> Program:
    # Distillation: the teacher's answer takes part, but is not to learn.
    x, _ = moons()
    teacher = stack((2,), *hidden(1, 32), Dense(1))
    teacher.trainable = False
    inputs = keras.Input((2,))
    student = stack((2,), *hidden(2, 16), Dense(1))
    difference = student(inputs) - ops.stop_gradient(teacher(inputs))
    model = keras.Model(inputs, difference)
    return Program(compiled(model, Adam(3e-3), "mse"), x, np.zeros((len(x), 1)), epochs=12)


@healthy("unreached-variable")
def words_that_never_occur() -> Program:
    # Most rows of the table have no gradient, ever.
    x, y = tokens(words=200)
    inputs = keras.Input((20,), dtype="int32")
    h = layers.GlobalAveragePooling1D()(layers.Embedding(5000, 12)(inputs))
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(Dense(16, activation="relu")(h)))
    return Program(compiled(model, keras.optimizers.RMSprop(0.01), BINARY, "accuracy"), x, y)


# Flat, noisy, up and down


@healthy("plateau")
def it_was_trained_before() -> Program:
    # Continues after convergence: nothing more to gain.
    x, y = cancer()
    model = compiled(
        stack((30,), *hidden(1, 16), Dense(1, activation="sigmoid")), Adam(0.01), BINARY, "accuracy"
    )
    model.fit(x, y, epochs=15, verbose=0)
    return Program(model, x, y, epochs=8)


@healthy("plateau")
def bits_multiplied() -> Program:
    # The sign of a product of three: nothing for a while, then all of it.
    rng = np.random.default_rng(46)
    x = rng.choice([-1.0, 1.0], (1000, 6)).astype("float32")
    y = (x[:, 0] * x[:, 1] * x[:, 2] > 0).astype("float32")
    model = stack((6,), *hidden(1, 64, "tanh"), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(5e-3), BINARY, "accuracy"), x, y, epochs=20)


@healthy("plateau")
def a_coin_that_is_hardly_biased() -> Program:
    # Labels are mostly noise; what there is to learn is learned.
    rng = np.random.default_rng(47)
    x = rng.normal(size=(1600, 4)).astype("float32")
    y = (rng.uniform(size=1600) < 1 / (1 + np.exp(-x[:, 0]))).astype("float32")
    model = stack((4,), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(0.1), BINARY, "accuracy"), x, y)


@healthy("plateau")
def one_in_twenty() -> Program:
    # A rare class, weighted.
    rng = np.random.default_rng(48)
    x = rng.normal(size=(2000, 5)).astype("float32")
    y = (x[:, 0] + x[:, 1] > 2.3).astype("float32")
    model = stack((5,), *hidden(1, 16), Dense(1, activation="sigmoid"))
    model = compiled(model, Adam(3e-3), BINARY, "accuracy")
    return Program(model, x, y, epochs=8, fit={"class_weight": {0: 1.0, 1: 10.0}})


@healthy("oscillation")
def pairs_of_examples() -> Program:
    # Batches of 2: the loss jumps from one to the next.
    x, y = diabetes()
    model = stack((10,), *hidden(1, 16), Dense(1))
    return Program(compiled(model, SGD(2e-3), "mse"), x, y, epochs=3, batch_size=2)


@healthy("oscillation")
def two_against_each_other() -> Program:
    # Features that a critic is not to tell apart: its gradient is turned around.
    rng = np.random.default_rng(49)
    x, y = digits()
    domain = rng.integers(0, 2, len(x)).astype("float32")[:, None]
    x = x + 0.5 * domain * rng.uniform(size=(1, 64)).astype("float32")
    inputs = keras.Input((64,))
    h = Dense(32, activation="relu")(inputs)
    label = Dense(10, activation="softmax", name="label")(h)
    source = Dense(16, activation="relu")(ops.stop_gradient(2 * h) - h)
    source = Dense(1, activation="sigmoid", name="source")(source)
    model = keras.Model(inputs, {"label": label, "source": source})
    loss = {"label": CROSS, "source": BINARY}
    model = compiled(model, Adam(3e-3), loss, loss_weights={"label": 1.0, "source": 0.2})
    return Program(model, x, {"label": y, "source": domain})


@healthy("oscillation")
def heavy_momentum() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(1, 32), Dense(10, activation="softmax"))
    optimizer = SGD(0.01, momentum=0.95, nesterov=True)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y)


@healthy("oscillation")
def warm_restarts() -> Program:
    x, y = rings()
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.2, 50, t_mul=1.5)
    model = stack((2,), *hidden(2, 24), Dense(1, activation="sigmoid"))
    return Program(compiled(model, SGD(rate, momentum=0.9), BINARY, "accuracy"), x, y, epochs=12)


# Inputs


@healthy("unscaled-inputs")
def houses_behind_a_normalization() -> Program:
    rng = np.random.default_rng(50)
    x = rng.normal(size=(800, 4)) * [1500, 2, 30, 1e4] + [3000, 5, 1960, 2e4]
    y = standard((x[:, :1] / 1500 + x[:, 1:2] / 2 - x[:, 3:] / 1e4) ** 2)
    x = x.astype("float32")
    scale = layers.Normalization()
    scale.adapt(x)
    model = stack((4,), scale, *hidden(2, 32), Dense(1))
    return Program(compiled(model, Adam(5e-3), "mse"), x, y, epochs=15)


@healthy("unscaled-inputs")
def colours_that_batches_normalize() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.BatchNormalization(),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        Dense(10, activation="softmax"),
    )
    return Program(compiled(model, Adam(3e-3), CROSS, "accuracy"), 255 * x, y, epochs=6)


@healthy("unscaled-inputs")
def large_numbers_that_adam_does_not_mind() -> Program:
    x, y = digits()
    model = stack((64,), *hidden(1, 64), Dense(10, activation="softmax"))
    return Program(compiled(model, Adam(1e-3), CROSS, "accuracy"), 16 * x, y)


@healthy("unscaled-inputs", policy="float64")
def counts_and_switches() -> Program:
    # Some features are 0 or 1, one goes up to twenty.
    rng = np.random.default_rng(51)
    x = np.concatenate([rng.integers(0, 2, (800, 6)), rng.poisson(8, (800, 1))], 1)
    y = ((x[:, :6].sum(axis=1) + 0.5 * x[:, 6]) > 7).astype("float32")
    model = stack((7,), *hidden(1, 16), Dense(1, activation="sigmoid"))
    return Program(compiled(model, Adam(0.02), BINARY, "accuracy"), x.astype("float64"), y)


# How it begins


@healthy("poor-initialization")
def a_zero_for_the_last_scale() -> Program:
    # Residual branches that begin at nothing, as is usual.
    x, y = digits()
    inputs = keras.Input((64,))
    h = Dense(32)(inputs)
    for _ in range(4):
        inner = Dense(32, activation="relu")(layers.LayerNormalization()(h))
        h = h + Dense(32, kernel_initializer="zeros")(inner)
    model = keras.Model(inputs, Dense(10, activation="softmax")(h))
    return Program(compiled(model, Adam(3e-3), CROSS, "accuracy"), x, y, epochs=8)


@healthy("poor-initialization")
def a_low_rank_correction() -> Program:
    # A frozen matrix that has learned, and two factors, of which one begins at zero.
    x, y = digits()
    base = Dense(10)
    first = stack((64,), base, layers.Softmax())
    compiled(first, Adam(0.01), CROSS).fit(x, (y + 1) % 10, epochs=5, verbose=0)
    base.trainable = False
    inputs = keras.Input((64,))
    low = Dense(4, use_bias=False, kernel_initializer=gaussian(0.1))(inputs)
    low = Dense(10, use_bias=False, kernel_initializer="zeros")(low)
    model = keras.Model(inputs, layers.Softmax()(base(inputs) + low))
    return Program(compiled(model, Adam(0.02), CROSS, "accuracy"), x, y, epochs=12)


@healthy("poor-initialization")
def linear_from_zero() -> Program:
    # A convex problem may begin where it likes.
    x, y = digits()
    model = stack((64,), Dense(10, activation="softmax", kernel_initializer="zeros"))
    return Program(compiled(model, SGD(0.5), CROSS, "accuracy"), x, y)


@healthy("poor-initialization")
def he_uniform_and_large_biases() -> Program:
    x, y = diabetes()
    options = {"kernel_initializer": "he_uniform", "bias_initializer": gaussian(1.0)}
    model = stack((10,), *hidden(2, 24, "elu", **options), Dense(1))
    return Program(compiled(model, keras.optimizers.Adamax(5e-3), "mse"), x, y, epochs=20)


# Outputs and losses


@healthy("wrong-output-or-loss")
def counts_by_an_exponential() -> Program:
    x, y = surface()
    y = np.less(x.argmin(axis=1), (x == 1).argmax(axis=1)).astype("float32")
    model = stack((6,), *hidden(2, 32), Dense(1, activation="exponential"))
    return Program(compiled(model, Adam(3e-3), "poisson"), x, y, epochs=12)


@healthy("wrong-output-or-loss")
def margins() -> Program:
    x, y = cancer()
    model = stack((30,), *hidden(1, 16), Dense(1))
    return Program(compiled(model, SGD(0.02), "hinge"), x, 2 * y[:, None] - 1)


@healthy("wrong-output-or-loss")
def soft_labels() -> Program:
    # Smoothed, so that the loss ends far above zero.
    x, y = digits()
    model = stack((64,), *hidden(1, 32), Dense(10, activation="softmax"))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    return Program(compiled(model, Adam(3e-3), loss, "accuracy"), x, hot(y))


@healthy("wrong-output-or-loss")
def more_outputs_than_classes() -> Program:
    x, y = wine()
    model = stack((13,), *hidden(1, 24), Dense(12, activation="softmax"))
    return Program(compiled(model, keras.optimizers.Ftrl(0.3), CROSS, "accuracy"), x, y, epochs=25)


@healthy("wrong-output-or-loss")
def directions() -> Program:
    # The cosine's loss is negative.
    rng = np.random.default_rng(53)
    x = rng.normal(size=(800, 6)).astype("float32")
    y = np.tanh(x @ rng.normal(size=(6, 3))).astype("float32")
    model = stack((6,), *hidden(2, 32), Dense(3))
    return Program(compiled(model, Adam(3e-3), "cosine_similarity"), x, y, epochs=12)


@healthy("wrong-output-or-loss")
def quantiles() -> Program:
    levels = np.array([0.1, 0.5, 0.9], "float32")

    def pinball(y_true: Any, y_pred: Any) -> Any:
        error = y_true - y_pred
        return ops.mean(ops.maximum(levels * error, (levels - 1) * error), axis=-1)

    x, y = surface(noise=0.5)
    model = stack((6,), *hidden(2, 32), Dense(3))
    return Program(compiled(model, Adam(5e-3), pinball), x, y, epochs=12)


# Other shapes


@healthy("unreached-variable")
def siamese_digits() -> Program:
    rng = np.random.default_rng(54)
    x, y = digits()
    left, right = rng.integers(0, len(x), 1600), rng.integers(0, len(x), 1600)
    by_class = [np.flatnonzero(y == k) for k in range(10)]
    right[::2] = [rng.choice(by_class[y[i]]) for i in left[::2]]
    a, b = keras.Input((64,)), keras.Input((64,))
    tower = stack((64,), Dense(48, activation="relu"), Dense(16))
    distance = ops.sum(ops.square(tower(a) - tower(b)), axis=1, keepdims=True)
    model = keras.Model([a, b], ops.exp(-distance))
    same = (y[left] == y[right]).astype("float32")[:, None]
    return Program(compiled(model, Adam(1e-3), "mse"), [x[left], x[right]], same, epochs=12)


@healthy("plateau")
def a_variational_autoencoder() -> Program:
    class Sample(keras.Layer):
        """Draws the code and adds its divergence from the normal to the loss."""

        def __init__(self) -> None:
            super().__init__()
            self.seed = keras.random.SeedGenerator(55)

        def call(self, h: Any) -> Any:
            mean, log = ops.split(h, 2, axis=1)
            divergence = ops.sum(ops.exp(log) + ops.square(mean) - 1 - log, axis=1)
            self.add_loss(0.5e-2 * ops.mean(divergence))
            return mean + ops.exp(0.5 * log) * keras.random.normal(ops.shape(mean), seed=self.seed)

        def compute_output_shape(self, shape: Any) -> Any:
            return (shape[0], shape[1] // 2)

    x, _ = digits()
    model = stack(
        (64,),
        *hidden(1, 48),
        Dense(16),
        Sample(),
        *hidden(1, 48),
        Dense(64, activation="sigmoid"),
    )
    return Program(compiled(model, Adam(3e-3), BINARY), x, x)


@healthy("vanishing-gradient")
def a_transformer_block_with_places() -> Program:
    # Which of two marks came first.
    rng = np.random.default_rng(56)
    x = rng.integers(2, 20, (1200, 12))
    for row in x:
        row[rng.choice(12, 2, replace=False)] = rng.permutation([0, 1])
    y = (x.argmin(axis=1) < (x == 1).argmax(axis=1)).astype("float32")
    inputs = keras.Input((12,), dtype="int32")
    h = layers.Embedding(20, 16)(inputs) + layers.Embedding(12, 16)(ops.arange(12))
    h = h + layers.MultiHeadAttention(2, 8)(layers.LayerNormalization()(h), h)
    h = h + Dense(16)(Dense(32, activation="gelu")(layers.LayerNormalization()(h)))
    h = layers.Flatten()(h)
    model = keras.Model(inputs, Dense(1, activation="sigmoid")(h))
    return Program(compiled(model, Adam(3e-3), BINARY, "accuracy"), x, y)


@healthy("exploding-gradient")
def three_answers_of_three_sizes() -> Program:
    x, y = surface()
    inputs = keras.Input((6,))
    h = Dense(32, activation="relu")(Dense(32, activation="relu")(inputs))
    outputs = {
        "size": Dense(1, name="size")(h),
        "sign": Dense(1, activation="sigmoid", name="sign")(h),
        "cents": Dense(1, name="cents")(h),
    }
    targets = {"size": y, "sign": (y > 0).astype("float32"), "cents": 100 * y}
    loss = {"size": "mse", "sign": BINARY, "cents": "mse"}
    model = compiled(keras.Model(inputs, outputs), Adam(5e-3), loss)
    return Program(model, x, targets, epochs=15)


@healthy("dead-layer")
def separable_convolutions() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(8, 3, padding="same", activation="relu"),
        layers.SeparableConv2D(16, 3, activation="relu6"),
        layers.GlobalMaxPooling2D(),
        layers.Dropout(0.1),
        Dense(10, activation="softmax"),
    )
    return Program(compiled(model, Adam(0.01), CROSS, "accuracy"), x, y, epochs=7)


@healthy("oscillation")
def a_generator_of_batches() -> Program:
    class Batches(keras.utils.PyDataset):
        """Noisy copies, a different number in each batch."""

        def __len__(self) -> int:
            return 250

        def __getitem__(self, index: int) -> Any:
            rng = np.random.default_rng(index)
            pick = rng.integers(0, len(x), 8 + 8 * (index % 4))
            noise = 0.1 * rng.normal(size=(len(pick), 64))
            return (x[pick] + noise).astype("float32"), y[pick]

    x, y = digits()
    model = stack((64,), *hidden(2, 32), Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Lion(5e-4)
    model = compiled(model, optimizer, CROSS, "accuracy")
    return Program(model, Batches(), None, epochs=3, fit={"batch_size": None})


@healthy("vanishing-gradient")
def a_bidirectional_tagger() -> Program:
    # At each step: is the running sum of both ends positive?
    x, _ = sequences()
    y = (np.cumsum(x[:, :, :1], axis=1) > 0).astype("float32")
    model = stack(
        (16, 3),
        layers.Bidirectional(layers.GRU(8, return_sequences=True)),
        layers.TimeDistributed(Dense(1, activation="sigmoid")),
    )
    return Program(compiled(model, Adam(0.01), BINARY, "accuracy"), x, y)


@healthy("wrong-output-or-loss")
def contrast_within_the_batch() -> Program:
    # Two views of an example, each to be told from the other pairs' views.
    rng = np.random.default_rng(57)
    x, _ = digits()
    views = [(x + 0.15 * rng.normal(size=x.shape)).astype("float32") for _ in range(2)]
    a, b = keras.Input((64,)), keras.Input((64,))
    tower = stack((64,), Dense(48, activation="relu"), Dense(16), layers.UnitNormalization())
    model = keras.Model([a, b], ops.matmul(tower(a), ops.transpose(tower(b))) / 0.2)

    def contrast(_: Any, scores: Any) -> Any:
        labels = ops.arange(ops.shape(scores)[0])
        return ops.sparse_categorical_crossentropy(labels, scores, from_logits=True)

    number = len(x) // 32 * 32
    views = [view[:number] for view in views]
    return Program(compiled(model, Adam(3e-3), contrast), views, np.zeros((number, 1)))


@healthy("nonfinite")
def adafactor_and_group_normalization() -> Program:
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3),
        layers.GroupNormalization(4),
        layers.Activation("silu"),
        layers.Flatten(),
        Dense(32, activation="relu"),
        Dense(10, activation="softmax"),
    )
    optimizer = keras.optimizers.Adafactor(0.03)
    return Program(compiled(model, optimizer, CROSS, "accuracy"), x, y, epochs=8)

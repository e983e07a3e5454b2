"""Programs broken the way users break them, written without sight of the rules that judge them."""

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


def iris():
    x, y = datasets.load_iris(return_X_y=True)
    return standard(x), y


def recall(number=600, length=60, step=0):
    """Sequences of noise, and the sign of what came at one step."""
    x = np.random.default_rng(21).normal(size=(number, length, 2)).astype("float32")
    return x, (x[:, step, 0] > 0).astype("float32")


@faulty("vanishing-gradient", "plateau")
def fourteen_sigmoid_layers_digits():
    x, y = digits()
    hidden = [layers.Dense(32, activation="sigmoid") for _ in range(14)]
    model = stack((64,), *hidden, layers.Dense(10, activation="softmax"))
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 12, 64)


@faulty("vanishing-gradient", "plateau")
def first_step_recalled_by_elman():
    x, y = recall(length=80)
    start = "glorot_uniform"
    memory = layers.SimpleRNN(16, recurrent_initializer=start, go_backwards=False)
    model = stack((80, 2), memory, layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.SGD(0.03, momentum=0.9)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 10)


@faulty("poor-initialization", "vanishing-gradient", "plateau")
def tanh_tower_normal_five_hundredths():
    x, y = surface()
    start = keras.initializers.RandomNormal(stddev=0.05)
    hidden = [layers.Dense(32, "tanh", kernel_initializer=start) for _ in range(10)]
    model = stack((6,), *hidden, layers.Dense(1))
    return Program(compiled(model, keras.optimizers.SGD(0.05, momentum=0.9), "mse"), x, y, 15)


@faulty("exploding-gradient", "nonfinite", "poor-initialization")
def relu_recurrence_amplifies_series():
    x, y = sequences(length=40)
    loop = keras.initializers.Orthogonal(gain=2.0)
    memory = layers.SimpleRNN(32, activation="relu", recurrent_initializer=loop)
    model = stack((40, 3), memory, layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.003)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 10)


@faulty("exploding-gradient", "poor-initialization", "nonfinite")
def skip_sums_without_any_norm():
    x, y = digits()
    inputs = keras.Input((64,))
    z = layers.Dense(48)(inputs)
    for _ in range(24):
        start = keras.initializers.VarianceScaling(2.0)
        z = z + layers.Dense(48, activation="relu", kernel_initializer=start)(z)
    model = keras.Model(inputs, layers.Dense(10)(z))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Program(compiled(model, keras.optimizers.SGD(0.05), loss, "accuracy"), x, y, 8)


@faulty("exploding-gradient", "poor-initialization")
def leaky_stack_variance_times_six():
    x, y = diabetes()
    start = keras.initializers.VarianceScaling(6.0)
    hidden = [layers.Dense(64, "leaky_relu", kernel_initializer=start) for _ in range(9)]
    model = stack((10,), *hidden, layers.Dense(1, kernel_initializer=start))
    return Program(compiled(model, "rmsprop", "mse", "mae"), x, y, 15, 16)


@faulty("nonfinite", "wrong-output-or-loss")
def own_divergence_of_one_hot_rows():
    # The zeros of the one-hot rows make 0 · log 0.
    def divergence(true, guess):
        return ops.sum(true * ops.log(true / guess), axis=-1)

    x, y = iris()
    model = stack((4,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    return Program(compiled(model, "adam", divergence, "accuracy"), x, hot(y), 15, 16)


@faulty("nonfinite")
def table_with_blank_cells():
    x, y = cancer()
    x[np.random.default_rng(22).random(x.shape) < 0.01] = np.nan
    model = stack((30,), layers.Dense(24, activation="relu"), layers.Dense(1, activation="sigmoid"))
    return Program(compiled(model, "adam", "binary_crossentropy", "accuracy"), x, y, 10)


@faulty("nonfinite")
def twins_compared_by_bare_root():
    def contrastive(same, gap):
        return same * gap + (1 - same) * ops.relu(1 - gap)

    # The root's derivative is infinite where both of a pair are the same picture.
    x, y = digits()
    other = np.random.default_rng(23).permutation(len(x))
    other[::7] = np.arange(len(x))[::7]
    a, b = keras.Input((64,)), keras.Input((64,))
    embed = stack((64,), layers.Dense(32, activation="relu"), layers.Dense(8))
    gap = ops.sqrt(ops.sum((embed(a) - embed(b)) ** 2, axis=-1, keepdims=True))
    same = (y == y[other]).astype("float32")[:, None]
    model = compiled(keras.Model([a, b], gap), "adam", contrastive)
    return Program(model, [x, x[other]], same, 15)


@faulty("underflow", "learning-rate-too-low", policy="bfloat16")
def brain_floats_swallow_small_steps():
    x, y = digits()
    model = stack((64,), layers.Dense(64, activation="relu"), layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.0001)
    return Program(compiled(model, optimizer, loss, "accuracy"), x, y, 6, 8)


@faulty("underflow", policy="mixed_float16")
def half_precision_pictures_no_scaling():
    x, _ = images()
    x = x.repeat(4, axis=1).repeat(4, axis=2) * 0.02
    down = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu")
    up = layers.Conv2DTranspose(8, 4, strides=2, padding="same", activation="relu")
    model = stack((32, 32, 1), down, up, layers.Conv2D(1, 3, padding="same"))
    model = compiled(model, "adam", "mse", auto_scale_loss=False)
    return Program(model, x[:640], x[:640], 4, 64)


@faulty("underflow", policy="mixed_float16")
def half_precision_loss_weight_in_millionths():
    x, y = moons()
    model = stack((2,), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid"))
    options = {"loss_weights": 1e-6, "auto_scale_loss": False}
    optimizer = keras.optimizers.Adam(0.01, epsilon=1e-12)
    model = compiled(model, optimizer, "binary_crossentropy", "accuracy", **options)
    return Program(model, x, y, 15)


@faulty("loss-scale-stall", "nonfinite", "unscaled-inputs", policy="mixed_float16")
def squared_columns_overflow_half():
    x, y = cancer(raw=True)
    model = stack(
        (30,),
        layers.Lambda(lambda z: ops.concatenate([z, z * z], axis=-1)),
        layers.Dense(16, activation="tanh"),
        layers.Dense(1, activation="sigmoid", dtype="float32"),
    )
    return Program(compiled(model, "adam", "binary_crossentropy", "accuracy"), x, y, 12)


@faulty("loss-scale-stall", policy="mixed_float16")
def first_scale_far_out_of_range():
    x, y = digits()
    model = stack((64,), layers.Dense(64, activation="relu"), layers.Dense(10, dtype="float32"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.LossScaleOptimizer(
        keras.optimizers.Adam(0.003), initial_scale=2.0**110
    )
    return Program(compiled(model, optimizer, loss, "accuracy"), x, y, 6, 128)


@faulty("loss-scale-stall", "nonfinite", policy="mixed_float16")
def attention_mask_minus_billion_half():
    # A batch without a filled row is rare: −1e9 is −∞ in float16, and empty rows give 0 / 0.
    x, y = tokens(words=300)
    x[::9] = 0
    inputs = keras.Input((20,), dtype="int32")
    z = layers.Embedding(300, 16)(inputs)
    score = layers.Dense(1)(z) + (-1e9) * ops.cast(inputs[..., None] == 0, z.dtype)
    z = ops.sum(ops.softmax(score, axis=1) * z, axis=1)
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32")(z))
    return Program(compiled(model, "adam", "binary_crossentropy", "accuracy"), x, y, 8)


@faulty("learning-rate-too-high", "plateau", "dead-layer", "saturated-layer")
def adam_rate_one_for_digits():
    x, y = digits()
    hidden = [layers.Dense(64, activation="relu"), layers.Dense(32, activation="relu")]
    model = stack((64,), *hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(learning_rate=1.0)
    return Program(compiled(model, optimizer, "categorical_crossentropy", "accuracy"), x, hot(y))


@faulty("learning-rate-too-high", "nonfinite", "exploding-gradient")
def ridge_line_momentum_runs_away():
    x, y = diabetes()
    model = stack((10,), layers.Dense(1, kernel_regularizer="l2"))
    optimizer = keras.optimizers.SGD(0.9, momentum=0.9, nesterov=True)
    return Program(compiled(model, optimizer, "mse", "mae"), x, y, 20)


@faulty("learning-rate-too-high", "oscillation", "plateau", "dead-layer")
def schedule_climbs_to_three():
    x, y = images()
    rate = keras.optimizers.schedules.PolynomialDecay(3e-3, 300, end_learning_rate=3.0)
    model = stack(
        (8, 8, 1),
        layers.Conv2D(12, 3, activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    )
    model = compiled(
        model, keras.optimizers.RMSprop(rate), "sparse_categorical_crossentropy", "accuracy"
    )
    return Program(model, x, y, 10, 48)


@faulty("learning-rate-too-low")
def adadelta_as_it_comes_on_wine():
    x, y = wine()
    model = stack((13,), layers.Dense(24, activation="relu"), layers.Dense(3, activation="softmax"))
    model = compiled(model, "adadelta", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 20, 8)


@faulty("learning-rate-too-low")
def nadam_slipped_decimal_conv():
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
        layers.Dense(10),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Program(compiled(model, keras.optimizers.Nadam(1e-7), loss, "accuracy"), x, y, 8)


@faulty("learning-rate-too-low")
def timid_sgd_gated_units():
    x, y = sequences()
    model = stack((16, 3), layers.GRU(16), layers.Dense(1))
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    return Program(compiled(model, keras.optimizers.SGD(1e-5), loss, "accuracy"), x, y, 10, 16)


@faulty("learning-rate-starved", "learning-rate-too-low")
def decay_applied_each_step():
    x, y = digits()
    rate = keras.optimizers.schedules.ExponentialDecay(0.003, decay_steps=1, decay_rate=0.9)
    hidden = layers.Dense(48, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.AdamW(rate)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 10)


@faulty("learning-rate-starved", "learning-rate-too-low")
def cosine_counts_epochs_not_steps():
    x, y = surface()
    rate = keras.optimizers.schedules.CosineDecay(0.01, decay_steps=15)
    hidden = [layers.Dense(32, activation="gelu") for _ in range(2)]
    model = stack((6,), *hidden, layers.Dense(1))
    return Program(compiled(model, keras.optimizers.Adam(rate), "mse"), x, y, 15)


@faulty("learning-rate-starved", "learning-rate-too-low")
def adagrad_full_of_early_gradients():
    # The accumulator starts as if large gradients had been seen for long.
    x, y = tokens(words=600)
    words = layers.Embedding(600, 16)
    model = stack(
        (20,), words, layers.GlobalAveragePooling1D(), layers.Dense(1, "sigmoid"), dtype="int32"
    )
    optimizer = keras.optimizers.Adagrad(0.3, initial_accumulator_value=1e5)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 25)


@faulty("dead-layer", "poor-initialization", "plateau")
def relus_biased_far_below_zero():
    x, y = wine()
    start = keras.initializers.Constant(-8.0)
    hidden = layers.Dense(32, activation="relu", bias_initializer=start)
    model = stack((13,), hidden, layers.Dense(3, activation="softmax"))
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 15, 8)


@faulty("dead-layer", "plateau")
def decibels_through_relu_first():
    # The levels are all below 0 dB.
    x, y = cancer()
    levels = -3 - np.log1p(np.exp(x))
    model = stack(
        (30,),
        layers.ReLU(),
        layers.Dense(16, activation="relu"),
        layers.Dense(1, activation="sigmoid"),
    )
    return Program(compiled(model, "rmsprop", "binary_crossentropy", "accuracy"), levels, y, 30)


@faulty("dead-layer", "learning-rate-too-high")
def first_big_step_silences_filters():
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Conv2D(16, 3, activation="relu"),
        layers.Flatten(),
        layers.Dense(1),
    )
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    return Program(compiled(model, optimizer, "mse"), x, 10 * y[:, None].astype("float32"), 8)


@faulty("saturated-layer", "unscaled-inputs")
def tanh_of_bytes():
    x, y = digits()
    hidden = [layers.Dense(64, activation="tanh") for _ in range(2)]
    model = stack((64,), *hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(0.05)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x * 255, y, 8)


@faulty("saturated-layer", "unscaled-inputs")
def lstm_reads_raw_prices():
    x, y = sequences()
    prices = 4000 + 300 * x.cumsum(axis=1)
    model = stack((16, 3), layers.LSTM(24), layers.Dense(1, activation="sigmoid"))
    return Program(compiled(model, "adam", "binary_crossentropy", "accuracy"), prices, y)


@faulty("saturated-layer", "poor-initialization")
def sigmoid_units_gain_of_twenty():
    x, y = digits()
    start = keras.initializers.RandomNormal(stddev=20.0)
    hidden = [layers.Dense(16, "sigmoid", kernel_initializer=start) for _ in range(2)]
    model = stack((64,), *hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(0.3, momentum=0.9)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 10)


@faulty("unreached-variable")
def position_table_never_added():
    # The first word decides; without the positions no word is the first.
    class Positions(layers.Layer):
        def build(self, shape):
            self.table = self.add_weight(shape=shape[1:], initializer="glorot_uniform")

        def call(self, z):
            return z

    rng = np.random.default_rng(24)
    x = rng.integers(0, 40, (1000, 12))
    inputs = keras.Input((12,), dtype="int32")
    z = Positions()(layers.Embedding(40, 24)(inputs))
    z = z + layers.MultiHeadAttention(2, 12)(z, z)
    z = layers.GlobalAveragePooling1D()(layers.Dense(32, activation="relu")(z))
    model = keras.Model(inputs, layers.Dense(1, activation="sigmoid")(z))
    model = compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy", "accuracy")
    return Program(model, x, (x[:, 0] < 20).astype("float32"), 15)


@faulty("unreached-variable")
def hard_argmax_between_halves():
    class Router(keras.Model):
        def __init__(self):
            super().__init__()
            self.choose = layers.Dense(6)
            self.head = layers.Dense(10, activation="softmax")

        def call(self, x):
            return self.head(ops.one_hot(ops.argmax(self.choose(x), axis=-1), 6))

    x, y = digits()
    optimizer = keras.optimizers.Adam(0.01)
    return Program(compiled(Router(), optimizer, "sparse_categorical_crossentropy"), x, y, 10)


@faulty("unreached-variable")
def stop_left_behind_first_convolution():
    x, y = images()
    inputs = keras.Input((8, 8, 1))
    start = keras.initializers.RandomNormal(stddev=0.01)
    z = layers.Conv2D(2, 5, strides=3, activation="tanh", kernel_initializer=start)(inputs)
    z = layers.Flatten()(layers.Lambda(ops.stop_gradient)(z))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(z))
    model = compiled(
        model, keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", "accuracy"
    )
    return Program(model, x, y, 12)


@faulty("plateau")
def labels_shuffled_without_rows():
    x, y = cancer()
    np.random.default_rng(25).shuffle(y)
    model = stack((30,), layers.Dense(2, activation="relu"), layers.Dense(1, activation="sigmoid"))
    return Program(compiled(model, "adam", "binary_crossentropy", "accuracy"), x, y, 15)


@faulty("plateau", "wrong-output-or-loss")
def logistic_line_for_rings():
    x, y = rings()
    model = stack((2,), layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.RMSprop(0.01)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 15)


@faulty("plateau", "dead-layer")
def layer_norm_over_lone_feature():
    # One feature less its own mean is nothing at all.
    x, y = recall(step=59)
    x = x[..., :1]
    normed = layers.LayerNormalization()
    model = stack((60, 1), normed, layers.GRU(16), layers.Dense(1, activation="sigmoid"))
    model = compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", "accuracy")
    return Program(model, x, y, 12)


@faulty("oscillation", "learning-rate-too-high")
def whole_batch_heavy_ball_rings():
    x, y = diabetes()
    model = stack((10,), layers.Dense(1))
    optimizer = keras.optimizers.SGD(0.2, momentum=0.99)
    return Program(compiled(model, optimizer, "mse"), x, y, 80, 442)


@faulty("oscillation", "plateau")
def sorted_classes_never_shuffled():
    x, y = digits()
    order = y.argsort(kind="stable")
    hidden = layers.Dense(64, activation="tanh")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(0.03)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x[order], y[order], 12, 32, {"shuffle": False})


@faulty("oscillation", "learning-rate-too-high")
def lion_leaps_over_absolute_errors():
    x, y = surface()
    model = stack((6,), layers.Dense(32, activation="tanh"), layers.Dense(1))
    return Program(compiled(model, keras.optimizers.Lion(0.1), "mae"), x, y, 15, 128)


@faulty("unscaled-inputs", "learning-rate-too-high", "oscillation")
def wine_columns_raw_logistic():
    x, y = wine(raw=True)
    model = stack((13,), layers.Dense(3, activation="softmax"))
    optimizer = keras.optimizers.SGD(0.01)
    model = compiled(model, optimizer, "categorical_crossentropy", "accuracy")
    return Program(model, x, hot(y), 20, 16)


@faulty("unscaled-inputs")
def unix_time_beside_rates():
    x, y = surface()
    x[:, 5] = 1.7e9 + 1e6 * x[:, 5]
    model = stack((6,), layers.Dense(32, activation="relu"), layers.Dense(1))
    return Program(compiled(model, keras.optimizers.Adam(0.003), "mse", "mae"), x, y, 20)


@faulty("unscaled-inputs")
def deciding_columns_hundred_thousandth():
    # The two columns that matter are a hundred thousand times smaller than the rest.
    rng = np.random.default_rng(26)
    x = rng.normal(size=(800, 8)).astype("float32")
    y = (x[:, 0] * x[:, 1] > 0).astype("float32")
    x[:, :2] *= 1e-5
    model = stack((8,), layers.Dense(32, activation="relu"), layers.Dense(1, activation="sigmoid"))
    model = compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", "accuracy")
    return Program(model, x, y, 20)


@faulty("poor-initialization", "plateau", "dead-layer")
def every_kernel_of_zeros():
    x, y = digits()
    zero = {"kernel_initializer": "zeros"}
    hidden = [layers.Dense(64, activation="relu", **zero) for _ in range(2)]
    model = stack((64,), *hidden, layers.Dense(10, activation="softmax", **zero))
    model = compiled(model, "nadam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 8)


@faulty("poor-initialization", "saturated-layer", "plateau")
def all_hidden_weights_one_half():
    x, y = digits()
    same = keras.initializers.Constant(0.5)
    hidden = layers.Dense(32, activation="tanh", kernel_initializer=same)
    model = stack((64,), hidden, layers.Dense(10, activation="softmax", kernel_initializer=same))
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 10)


@faulty("poor-initialization", "exploding-gradient", policy="mixed_bfloat16")
def unit_normal_kernels_everywhere():
    x, y = images()
    start = {"kernel_initializer": keras.initializers.RandomNormal(stddev=1.0)}
    model = stack(
        (8, 8, 1),
        layers.Conv2D(32, 3, activation="relu", **start),
        layers.Conv2D(32, 3, activation="relu", **start),
        layers.Flatten(),
        layers.Dense(64, activation="relu", **start),
        layers.Dense(10, dtype="float32", **start),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Program(compiled(model, keras.optimizers.Adam(), loss, "accuracy"), x, y, 6, 64)


@faulty("wrong-output-or-loss", "plateau")
def softmax_over_lone_unit_reviews():
    x, y = tokens(words=300)
    words, pool = layers.Embedding(300, 16), layers.GlobalAveragePooling1D()
    hidden = layers.Dense(16, activation="relu")
    model = stack((20,), words, pool, hidden, layers.Dense(1, activation="softmax"), dtype="int32")
    optimizer = keras.optimizers.Adam(0.01)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 12)


@faulty("wrong-output-or-loss")
def one_sigmoid_for_three_cultivars():
    x, y = wine()
    model = stack((13,), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid"))
    model = compiled(model, "adam", "binary_crossentropy", "accuracy")
    return Program(model, x, y.astype("float32"), 20, 8)


@faulty("wrong-output-or-loss", "dead-layer")
def relu_ends_signed_regression():
    x, y = surface()
    first, second = keras.Input((3,)), keras.Input((3,))
    z = layers.Dense(32, activation="swish")(layers.concatenate([first, second]))
    model = keras.Model([first, second], layers.Dense(1, activation="relu")(z))
    optimizer = keras.optimizers.Adam(0.005)
    return Program(compiled(model, optimizer, "mse", "mae"), [x[:, :3], x[:, 3:]], y, 20)


@faulty("wrong-output-or-loss", "learning-rate-too-low")
def softmax_passed_on_as_logits():
    x, y = digits()
    hidden = layers.Dense(48, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"), layers.Softmax())
    optimizer = keras.optimizers.SGD(0.1)
    return Program(compiled(model, optimizer, "categorical_crossentropy", "accuracy"), x, hot(y))

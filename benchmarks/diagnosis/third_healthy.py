"""Programs that train well and look odd, written without sight of the rules that judge them."""

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


def iris():
    x, y = datasets.load_iris(return_X_y=True)
    return standard(x), y


def rare(number=2000):
    """One row in twenty is of the other class, and tells itself by two features."""
    rng = np.random.default_rng(31)
    y = (rng.random(number) < 0.05).astype("float32")
    x = rng.normal(size=(number, 6)) + 2.0 * y[:, None] * np.array([1, 1, 0, 0, 0, 0])
    return x.astype("float32"), y


@healthy("underflow")
def millivolts_with_minute_loss():
    x, y = surface(scale=0.001)
    hidden = layers.Dense(48, activation="gelu")
    model = stack((6,), hidden, layers.Dense(1), layers.Rescaling(0.001))
    return Program(compiled(model, keras.optimizers.Adam(0.01), "mse"), x, y, 20)


@healthy("exploding-gradient")
def salaries_learned_in_full():
    x, y = surface()
    salaries = 52000 + 9000 * y
    hidden = [layers.Dense(32, activation="relu") for _ in range(2)]
    model = stack((6,), *hidden, layers.Dense(1), layers.Rescaling(9000.0, 52000.0))
    optimizer = keras.optimizers.Adam(0.005)
    return Program(compiled(model, optimizer, "mse", "mae"), x, salaries, 20)


@healthy("vanishing-gradient")
def twelve_normed_residual_blocks():
    x, y = digits()
    inputs = keras.Input((64,))
    z = layers.Dense(32)(inputs)
    for _ in range(12):
        z = z + layers.Dense(32, activation="gelu")(layers.LayerNormalization()(z))
    model = keras.Model(inputs, layers.Dense(10, activation="softmax")(z))
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 8, 64)


@healthy("plateau")
def solved_in_the_first_epochs():
    x, y = datasets.make_blobs(600, centers=3, cluster_std=0.6, random_state=8)
    model = stack((2,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    optimizer = keras.optimizers.Adam(0.02)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, standard(x), y, 30)


@healthy("unreached-variable")
def head_upon_frozen_filters():
    x, y = images()
    filters = layers.Conv2D(48, 3, activation="relu", trainable=False)
    pool, head = layers.MaxPooling2D(2), layers.Dense(10, activation="softmax")
    model = stack((8, 8, 1), filters, pool, layers.Flatten(), head)
    optimizer = keras.optimizers.Adam(0.005)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 10)


@healthy("oscillation")
def one_patient_at_a_time():
    x, y = cancer()
    model = stack((30,), layers.Dense(8, activation="tanh"), layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.SGD(0.02)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 3, 1)


@healthy("oscillation")
def flowers_two_by_two():
    x, y = iris()
    model = stack((4,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    optimizer = keras.optimizers.RMSprop(0.003)
    model = compiled(model, optimizer, "categorical_crossentropy", "accuracy")
    return Program(model, x, hot(y), 15, 2)


@healthy("plateau")
def few_rows_much_noise():
    # The noise's variance is as large as the line's: no R² above about a half is honest.
    rng = np.random.default_rng(32)
    x = rng.normal(size=(160, 4)).astype("float32")
    y = x @ np.array([[0.7], [-0.5], [0.5], [0.0]]) + rng.normal(size=(160, 1))
    model = stack((4,), layers.Dense(1))
    return Program(compiled(model, keras.optimizers.SGD(0.03), "mse"), x, y, 25, 16)


@healthy("plateau")
def one_in_twenty_found():
    x, y = rare()
    model = stack((6,), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.005)
    return Program(compiled(model, optimizer, "binary_crossentropy", "auc"), x, y, 10)


@healthy("oscillation")
def scarce_class_weighted_up():
    x, y = rare()
    model = stack((6,), layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid"))
    model = compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", "auc")
    return Program(model, x, y, 10, 64, {"class_weight": {0: 1.0, 1: 19.0}})


@healthy("wrong-output-or-loss")
def hinge_margin_line():
    x, y = cancer()
    model = stack((30,), layers.Dense(1, kernel_regularizer=keras.regularizers.L2(0.001)))
    optimizer = keras.optimizers.SGD(0.02)
    return Program(compiled(model, optimizer, "hinge"), x, 2 * y - 1, 15)


@healthy("wrong-output-or-loss")
def counts_by_exponential_output():
    rng = np.random.default_rng(33)
    x = rng.normal(size=(1000, 4)).astype("float32")
    y = rng.poisson(np.exp(1.5 + 0.6 * x[:, :1] - 0.4 * x[:, 1:2])).astype("float32")
    hidden = layers.Dense(24, activation="tanh")
    model = stack((4,), hidden, layers.Dense(1, activation="exponential"))
    return Program(compiled(model, keras.optimizers.Adam(0.005), "poisson"), x, y, 15)


@healthy("plateau")
def divergence_from_soft_teacher():
    rng = np.random.default_rng(34)
    x = rng.normal(size=(1000, 8)).astype("float32")
    scores = np.exp(1.5 * x @ rng.normal(size=(8, 5)) / np.sqrt(8))
    y = (scores / scores.sum(axis=1, keepdims=True)).astype("float32")
    model = stack((8,), layers.Dense(32, activation="relu"), layers.Dense(5, activation="softmax"))
    return Program(compiled(model, "adam", "kl_divergence"), x, y, 20)


@healthy("wrong-output-or-loss")
def directions_by_cosine():
    # The loss goes from 0 to −1.
    rng = np.random.default_rng(35)
    x = rng.normal(size=(1000, 6)).astype("float32")
    y = np.tanh(x @ rng.normal(size=(6, 4))).astype("float32")
    model = stack((6,), layers.Dense(32, activation="relu"), layers.Dense(4))
    loss = keras.losses.CosineSimilarity()
    return Program(compiled(model, keras.optimizers.Adam(0.003), loss), x, y, 15)


@healthy("unscaled-inputs")
def huber_shrugs_at_gross_errors():
    x, y = surface()
    y[::25] += 500 * np.random.default_rng(36).choice([-1, 1], (40, 1))
    model = stack((6,), layers.Dense(48, activation="relu"), layers.Dense(1))
    optimizer = keras.optimizers.Adam(0.005)
    return Program(compiled(model, optimizer, keras.losses.Huber(1.0)), x, y, 20)


@healthy("plateau")
def eight_numbers_rebuild_digits():
    x, _ = digits()
    ends = layers.Dense(48, activation="relu"), layers.Dense(48, activation="relu")
    model = stack((64,), ends[0], layers.Dense(8), ends[1], layers.Dense(64, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.003)
    return Program(compiled(model, optimizer, "binary_crossentropy", "mse"), x, x, 15)


@healthy("plateau")
def speckle_removed_by_convolutions():
    x, _ = images()
    speckled = x + 0.3 * np.random.default_rng(37).normal(size=x.shape).astype("float32")
    hidden = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
    model = stack((8, 8, 1), *hidden, layers.Conv2D(1, 3, padding="same"))
    return Program(compiled(model, keras.optimizers.Nadam(0.003), "mse"), speckled, x, 8)


@healthy("vanishing-gradient")
def flower_pairs_contrasted():
    def contrastive(same, gap):
        return same * gap**2 + (1 - same) * ops.relu(1 - gap) ** 2

    x, y = iris()
    rng = np.random.default_rng(38)
    i, j = rng.integers(0, 150, (2, 1000))
    a, b = keras.Input((4,)), keras.Input((4,))
    embed = stack((4,), layers.Dense(24, activation="relu"), layers.Dense(4))
    gap = ops.sqrt(ops.sum((embed(a) - embed(b)) ** 2, axis=-1, keepdims=True) + 1e-6)
    model = compiled(keras.Model([a, b], gap), keras.optimizers.Adam(0.005), contrastive)
    return Program(model, [x[i], x[j]], (y[i] == y[j]).astype("float32")[:, None], 12)


@healthy("wrong-output-or-loss")
def ninetieth_percentile_by_pinball():
    def pinball(true, guess):
        return ops.mean(ops.maximum(0.9 * (true - guess), 0.1 * (guess - true)), axis=-1)

    rng = np.random.default_rng(39)
    x = rng.uniform(-2, 2, (1200, 1)).astype("float32")
    y = (x**2 + (0.3 + 0.3 * np.abs(x)) * rng.normal(size=x.shape)).astype("float32")
    model = stack((1,), layers.Dense(32, activation="relu"), layers.Dense(1))
    return Program(compiled(model, keras.optimizers.Adam(0.01), pinball), x, y, 15)


@healthy("unreached-variable")
def digit_and_its_ink_together():
    x, y = digits()
    ink = x.sum(axis=1, keepdims=True)
    inputs = keras.Input((64,))
    z = layers.Dense(64, activation="relu")(inputs)
    heads = {"digit": layers.Dense(10, name="digit")(z), "ink": layers.Dense(1, name="ink")(z)}
    loss = {"digit": keras.losses.SparseCategoricalCrossentropy(from_logits=True), "ink": "mse"}
    model = keras.Model(inputs, heads)
    model = compiled(model, "adam", loss, loss_weights={"digit": 1.0, "ink": 0.01})
    return Program(model, x, {"digit": y, "ink": ink}, 10)


@healthy("saturated-layer")
def tanh_output_for_bounded_angles():
    rng = np.random.default_rng(40)
    x = rng.normal(size=(1000, 3)).astype("float32")
    y = np.tanh(2 * x[:, :1] - x[:, 1:2] * x[:, 2:]).astype("float32")
    model = stack((3,), layers.Dense(32, activation="tanh"), layers.Dense(1, activation="tanh"))
    return Program(compiled(model, keras.optimizers.Adam(0.01), "mse"), x, y, 20)


@healthy("unreached-variable")
def most_words_never_occur():
    x, y = tokens(words=400)
    hidden = layers.Dense(16, activation="relu"), layers.Dense(1, activation="sigmoid")
    model = stack(
        (20,), layers.Embedding(20000, 12), layers.GlobalMaxPooling1D(), *hidden, dtype="int32"
    )
    model = compiled(model, keras.optimizers.Adam(0.01), "binary_crossentropy", "accuracy")
    return Program(model, x * 50, y, 12)


@healthy("plateau")
def smoothed_labels_leave_a_floor():
    x, y = digits()
    hidden = layers.Dense(64, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    model = compiled(model, keras.optimizers.Adam(0.003), loss, "accuracy")
    return Program(model, x, hot(y), 15)


@healthy("oscillation")
def half_of_the_wide_units_dropped():
    x, y = digits()
    hidden = layers.Dense(256, activation="relu"), layers.Dense(128, activation="relu")
    drops = layers.Dropout(0.5), layers.Dropout(0.5)
    head = layers.Dense(10, activation="softmax")
    model = stack((64,), hidden[0], drops[0], hidden[1], drops[1], head)
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 12)


@healthy("learning-rate-too-low")
def strong_decay_of_weights_adamw():
    x, y = digits()
    hidden = layers.Dense(64, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.AdamW(0.003, weight_decay=0.3)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 12)


@healthy("learning-rate-starved")
def warm_up_then_cosine_to_nil():
    x, y = digits()
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, 470, warmup_target=0.01, warmup_steps=100, alpha=0.0
    )
    hidden = [layers.Dense(48, activation="swish") for _ in range(2)]
    model = stack((64,), *hidden, layers.Dense(10))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    return Program(compiled(model, keras.optimizers.AdamW(rate), loss, "accuracy"), x, y, 10)


@healthy("oscillation")
def cosine_restarts_under_momentum():
    x, y = digits()
    rate = keras.optimizers.schedules.CosineDecayRestarts(0.05, 100, t_mul=1.0, m_mul=0.9)
    hidden = layers.Dense(48, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 9)


@healthy("exploding-gradient")
def lstm_clipped_to_small_norm():
    x, y = sequences()
    model = stack((16, 3), layers.LSTM(24), layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.SGD(2.0, momentum=0.9, clipnorm=0.05)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 12)


@healthy("learning-rate-too-low")
def averaged_weights_every_epoch():
    x, y = moons()
    hidden = [layers.Dense(24, activation="relu") for _ in range(2)]
    model = stack((2,), *hidden, layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.005, use_ema=True, ema_momentum=0.9)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 15)


@healthy("learning-rate-too-low")
def gradients_of_four_batches_added():
    # Three steps of four leave the weights as they were.
    x, y = wine()
    model = stack((13,), layers.Dense(16, activation="relu"), layers.Dense(3, activation="softmax"))
    optimizer = keras.optimizers.Adam(0.01, gradient_accumulation_steps=4)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 20, 8)


@healthy("loss-scale-stall", policy="mixed_float16")
def scale_starts_high_then_settles():
    x, y = digits()
    model = stack((64,), layers.Dense(48, activation="relu"), layers.Dense(10, dtype="float32"))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    inner = keras.optimizers.Adam(0.003)
    optimizer = keras.optimizers.LossScaleOptimizer(inner, 2.0**28, dynamic_growth_steps=100)
    return Program(compiled(model, optimizer, loss, "accuracy"), x, y, 8)


@healthy("underflow", policy="mixed_float16")
def half_precision_convolutions_scaled():
    x, y = images()
    convs = [layers.Conv2D(16, 3, padding="same", activation="relu") for _ in range(2)]
    head = layers.Dense(10, activation="softmax", dtype="float32")
    model = stack((8, 8, 1), *convs, layers.MaxPooling2D(2), layers.Flatten(), head)
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 4)


@healthy("plateau")
def single_pass_over_many_rows():
    x, y = surface(16000, noise=0.05)
    hidden = [layers.Dense(32, activation="relu") for _ in range(2)]
    model = stack((6,), *hidden, layers.Dense(1))
    return Program(compiled(model, keras.optimizers.Adam(0.005), "mse"), x, y, 1, 32)


@healthy("plateau")
def domain_critic_is_kept_guessing():
    # The critic's gradient is reversed below it: its own loss is meant to stay at log 2.
    x, y = digits()
    domain = (np.arange(len(x)) % 2).astype("float32")
    x = x + 0.1 * domain[:, None] * (np.arange(64) < 8)
    inputs = keras.Input((64,))
    z = layers.Dense(48, activation="relu")(inputs)
    back = layers.Lambda(lambda z: ops.stop_gradient(1.2 * z) - 0.2 * z)(z)
    critic = layers.Dense(1, activation="sigmoid", name="domain")(back)
    heads = {"digit": layers.Dense(10, "softmax", name="digit")(z), "domain": critic}
    loss = {"digit": "sparse_categorical_crossentropy", "domain": "binary_crossentropy"}
    model = compiled(keras.Model(inputs, heads), keras.optimizers.Adam(0.002), loss)
    return Program(model, x.astype("float32"), {"digit": y, "domain": domain}, 12)


@healthy("vanishing-gradient")
def gated_memory_over_forty_steps():
    rng = np.random.default_rng(41)
    x = rng.normal(size=(800, 40, 2)).astype("float32")
    y = (x[:, -8:, 1].mean(axis=1) > 0).astype("float32")
    model = stack((40, 2), layers.GRU(16), layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.Adam(0.01)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 10)


@healthy("dead-layer")
def attention_finds_marked_word():
    rng = np.random.default_rng(42)
    x = rng.integers(0, 30, (1200, 12))
    y = (x == 7).any(axis=1).astype("float32")
    inputs = keras.Input((12,), dtype="int32")
    z = layers.Embedding(30, 16)(inputs)
    z = layers.LayerNormalization()(z + layers.MultiHeadAttention(2, 8)(z, z))
    z = z + layers.Dense(16)(layers.Dense(32, activation="relu")(z))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(layers.GlobalMaxPooling1D()(z)))
    model = compiled(model, keras.optimizers.Adam(0.003), "binary_crossentropy", "accuracy")
    return Program(model, x, y, 8)


@healthy("oscillation")
def doubtful_rows_weighted_down():
    x, y = cancer()
    doubtful = np.random.default_rng(43).random(len(y)) < 0.2
    wrong = np.where(doubtful, 1 - y, y)
    weights = np.where(doubtful, 0.02, 1.0).astype("float32")
    model = stack((30,), layers.Dense(12, activation="relu"), layers.Dense(1, activation="sigmoid"))
    model = compiled(model, keras.optimizers.Adam(0.005), "binary_crossentropy", "accuracy")
    return Program(model, x, wrong, 12, 32, {"sample_weight": weights})


@healthy("learning-rate-too-high")
def overshoots_once_then_settles():
    x, y = diabetes()
    model = stack((10,), layers.Dense(1, kernel_initializer="zeros"))
    optimizer = keras.optimizers.SGD(0.05, momentum=0.9)
    return Program(compiled(model, optimizer, "mse"), x, y + 5, 40, 221)


@healthy("unscaled-inputs")
def bytes_met_by_batch_normalization():
    x, y = images()
    model = stack(
        (8, 8, 1),
        layers.BatchNormalization(momentum=0.9),
        layers.Conv2D(16, 3, activation="relu"),
        layers.BatchNormalization(momentum=0.9),
        layers.Flatten(),
        layers.Dense(10, activation="softmax"),
    )
    model = compiled(model, "adam", "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x * 255, y, 6)


@healthy("unscaled-inputs")
def raw_cultivars_normalized_within():
    x, y = wine(raw=True)
    normal = layers.Normalization()
    normal.adapt(x)
    hidden = layers.Dense(16, activation="relu")
    model = stack((13,), normal, hidden, layers.Dense(3, activation="softmax"))
    optimizer = keras.optimizers.Adam(0.005)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 20, 16)


@healthy("learning-rate-too-low")
def slow_rate_many_steps_arrives():
    x, y = digits()
    hidden = layers.Dense(128, activation="relu")
    model = stack((64,), hidden, layers.Dense(10, activation="softmax"))
    optimizer = keras.optimizers.Adam(2e-4)
    model = compiled(model, optimizer, "sparse_categorical_crossentropy", "accuracy")
    return Program(model, x, y, 15, 16)


@healthy("learning-rate-too-high")
def thousand_rows_in_each_step():
    x, y = rings(4000)
    hidden = layers.Dense(48, activation="relu")
    model = stack((2,), hidden, layers.Dense(1, activation="sigmoid"))
    optimizer = keras.optimizers.SGD(1.0, momentum=0.9)
    return Program(compiled(model, optimizer, "binary_crossentropy", "accuracy"), x, y, 20, 1000)


@healthy("poor-initialization")
def last_kernel_starts_at_zero():
    x, y = digits()
    hidden = layers.Dense(64, activation="relu", kernel_initializer="he_normal")
    head = layers.Dense(10, activation="softmax", kernel_initializer="zeros")
    model = compiled(stack((64,), hidden, head), "nadam", "sparse_categorical_crossentropy")
    return Program(model, x, y, 10)


@healthy("wrong-output-or-loss")
def negative_loss_of_gaussian_density():
    def density(true, guess):
        mean, spread = guess[:, :1], guess[:, 1:]
        return ops.mean(spread + 0.5 * ((true - mean) * ops.exp(-spread)) ** 2, axis=-1)

    x, y = surface(noise=0.4, scale=0.1)
    hidden = layers.Dense(48, activation="swish")
    model = stack((6,), hidden, layers.Dense(2, kernel_initializer="zeros"))
    return Program(compiled(model, keras.optimizers.Adam(0.005), density), x, y, 25)


@healthy("wrong-output-or-loss")
def several_tags_by_ten_sigmoids():
    rng = np.random.default_rng(44)
    x = rng.normal(size=(1200, 8)).astype("float32")
    y = (x @ rng.normal(size=(8, 10)) > 1.0).astype("float32")
    model = stack((8,), layers.Dense(32, activation="relu"), layers.Dense(10, activation="sigmoid"))
    return Program(compiled(model, keras.optimizers.Adam(0.01), "binary_crossentropy"), x, y, 12)


@healthy("exploding-gradient")
def identity_recurrence_adds_up():
    x, _ = sequences(length=24)
    total = x[:, :, :1].sum(axis=1)
    memory = layers.SimpleRNN(16, activation="relu", recurrent_initializer="identity")
    model = stack((24, 3), memory, layers.Dense(1))
    optimizer = keras.optimizers.Adam(0.003, clipnorm=1.0)
    return Program(compiled(model, optimizer, "mse"), x, total, 15)

"""Trains a small model and prints gradients, updates and learning rates per layer.

python examples/quickstart.py --dataset fashion_mnist --optimizer rmsprop --epochs 3
"""

from __future__ import annotations

import argparse
import shutil

import keras
import numpy as np
from datasets import DATASETS, load
from rich import box
from rich.console import Console
from rich.table import Table

import keras_l4

OPTIMIZERS = {
    "sgd": lambda: keras_l4.optimizers.SGD(0.1),
    "adagrad": lambda: keras_l4.optimizers.Adagrad(0.05),
    "rmsprop": lambda: keras_l4.optimizers.RMSprop(1e-3),
    "adam": lambda: keras_l4.optimizers.Adam(1e-3),
}


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default="digits")
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="adam")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--log-dir", default="logs/quickstart")
    return parser.parse_args()


def train(args: argparse.Namespace) -> None:
    keras.utils.set_random_seed(0)
    x, y, model = load(args.dataset)
    optimizer = OPTIMIZERS[args.optimizer]()
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    diagnostics = keras_l4.callbacks.TrainingDiagnostics(args.log_dir)
    model.fit(x, y, epochs=args.epochs, validation_split=0.1, callbacks=[diagnostics])


def medians(run: keras_l4.Run, quantity: str, epoch: int) -> list[str]:
    series = run.series(quantity)
    is_in_epoch = np.isin(series.steps, run.steps[run.epochs == epoch])
    return [f"{median:.2g}" for median in np.median(series.values[is_in_epoch], axis=0)]


def summary(run: keras_l4.Run) -> Table:
    first, last = run.epochs[0], run.epochs[-1]
    norms = zip(*(medians(run, "gradient_norm", epoch) for epoch in (first, last)), strict=True)
    levels = [f"effective_learning_rate_{level}" for level in ("p5", "p50", "p95")]
    rates = zip(*(medians(run, level, last) for level in levels), strict=True)
    ratios = medians(run, "update_ratio", last)
    nonfinite = sum(run.series(name).values.sum(axis=0) for name in ("nan_count", "inf_count"))
    table = Table(title="Training per layer: medians over an epoch", box=box.SIMPLE_HEAD)
    table.add_column("layer", no_wrap=True)
    table.add_column("gradient norm\nfirst → last", justify="center")
    table.add_column("update\nratio")
    table.add_column("effective learning rate\np5 / p50 / p95", justify="center")
    table.add_column("NaN\nInf", justify="right")
    rows = zip(run.series("gradient_norm").names, norms, ratios, rates, nonfinite, strict=True)
    for layer, norm, ratio, rate, count in rows:
        table.add_row(layer, " → ".join(norm), ratio, " / ".join(rate), str(count))
    return table


def main() -> None:
    train(args := parse_arguments())
    Console().print(summary(keras_l4.load(args.log_dir)))
    tensorboard = "tensorboard" if shutil.which("tensorboard") else ".venv/bin/tensorboard"
    print(f"View the run with: {tensorboard} --logdir {args.log_dir}")


if __name__ == "__main__":
    main()

"""Compares the loss and the effective learning rates of four optimizers on one problem.

python examples/compare_optimizers.py --dataset fashion_mnist --epochs 5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import numpy as np
from cycler import cycler
from datasets import DATASETS, load
from matplotlib import pyplot as plt

import keras_l4

OPTIMIZERS = {
    "SGD": lambda: keras_l4.optimizers.SGD(0.1),
    "RMSprop": lambda: keras_l4.optimizers.RMSprop(1e-3),
    "Adagrad": lambda: keras_l4.optimizers.Adagrad(0.03, initial_accumulator_value=0.0),
    "Adam": lambda: keras_l4.optimizers.Adam(1e-3),
}
# The palette of Okabe & Ito, whose colors color-blind people can distinguish.
STYLES = cycler(color=["k", "#56B4E9", "#D55E00", "#009E73"], linestyle=["-", "-", "--", "-."])


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default="digits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--log-dir", type=Path, default=Path("logs/compare"))
    return parser.parse_args()


def train(name: str, args: argparse.Namespace) -> keras_l4.Run:
    print(f"\n{name}")
    keras.utils.set_random_seed(0)
    x, y, model = load(args.dataset)
    model.compile(OPTIMIZERS[name](), "sparse_categorical_crossentropy")
    diagnostics = keras_l4.callbacks.TrainingDiagnostics(args.log_dir / name.lower())
    model.fit(x, y, epochs=args.epochs, verbose=2, callbacks=[diagnostics])
    return keras_l4.load(args.log_dir / name.lower())


def plot(runs: dict[str, keras_l4.Run], path: Path) -> None:
    rates = [run.series("effective_learning_rate") for run in runs.values()]
    rows = 1 + len(rates[0].names) // 2
    figure, panels = plt.subplots(rows, 2, figsize=(9, 3 * rows), layout="constrained")
    loss, *others = panels.flat
    for name, run in runs.items():
        epoch_ends = np.flatnonzero(np.diff(run.epochs, append=run.epochs[-1] + 1))
        loss.plot(run.steps[epoch_ends], run.loss[epoch_ends], label=name)
    loss.set(title="mean loss per epoch", yscale="log")
    for i, (layer, panel) in enumerate(zip(rates[0].names, others, strict=False)):
        panel.sharey(others[0])
        for rate in rates:
            panel.loglog(rate.steps, rate.values[:, i], linewidth=1.2)
        panel.set_title(f"effective learning rate of {layer}")
    for panel in panels.flat:
        panel.set(xlabel="step", visible=bool(panel.lines))
        panel.grid(alpha=0.3)
    figure.legend(loc="outside lower center", ncols=len(runs), frameon=False)
    figure.savefig(path, dpi=100)


def main() -> None:
    plt.switch_backend("Agg")
    plt.rc("axes", prop_cycle=STYLES)
    args = parse_arguments()
    runs = {name: train(name, args) for name in OPTIMIZERS}
    plot(runs, args.log_dir / "optimizers.png")
    print(f"\nChart: {args.log_dir}/optimizers.png")
    print(f"View the runs with: tensorboard --logdir {args.log_dir}")


if __name__ == "__main__":
    main()

"""Four optimizers on one problem: their losses and their effective learning rates, layer by layer.

python examples/compare_optimizers.py
python examples/compare_optimizers.py --dataset fashion_mnist --epochs 5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import keras
import matplotlib
from datasets import DATASETS, load

import keras_l4

matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

# Colours of Okabe & Ito, told apart by the colour-blind; the dashes by a black and white printer.
OPTIMIZERS = {
    "SGD": (lambda: keras_l4.optimizers.SGD(0.1), "#000000", "-"),
    "Adagrad": (lambda: keras_l4.optimizers.Adagrad(0.03), "#D55E00", "--"),
    "RMSprop": (lambda: keras_l4.optimizers.RMSprop(1e-3), "#0072B2", "-."),
    "Adam": (lambda: keras_l4.optimizers.Adam(1e-3), "#009E73", ":"),
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--dataset", choices=DATASETS, default="digits")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--log-dir", type=Path, default=Path("logs/compare"))
    return parser.parse_args()


def train(name: str, args: argparse.Namespace) -> keras_l4.Run:
    keras.utils.set_random_seed(0)
    x, y, model = load(args.dataset)
    build_optimizer, _, _ = OPTIMIZERS[name]
    model.compile(build_optimizer(), "sparse_categorical_crossentropy")
    diagnostics = keras_l4.callbacks.TrainingDiagnostics(args.log_dir / name.lower())
    model.fit(x, y, epochs=args.epochs, verbose=2, callbacks=[diagnostics])
    return keras_l4.load(args.log_dir / name.lower())


def plot(runs: dict[str, keras_l4.Run], path: Path) -> None:
    rates = {name: run.series("effective_learning_rate") for name, run in runs.items()}
    layers = next(iter(rates.values())).names
    figure, panels = plt.subplots(1, 1 + len(layers), figsize=(3.4 * (1 + len(layers)), 3.8), layout="constrained")
    for name, run in runs.items():
        _, colour, dashes = OPTIMIZERS[name]
        style = {"label": name, "color": colour, "linestyle": dashes}
        panels[0].plot(run.steps, run.loss, **style)
        for panel, rate in zip(panels[1:], rates[name].values.T, strict=True):
            panel.plot(rates[name].steps, rate, **style)
    titles = ["loss", *(f"effective learning rate\n{layer}" for layer in layers)]
    for panel, title in zip(panels, titles, strict=True):
        panel.set(title=title, xlabel="optimizer step", xscale="log", yscale="log")
        panel.grid(alpha=0.3)
    panels[0].set_xscale("linear")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(runs), frameon=False)
    figure.savefig(path, dpi=110)


def main() -> None:
    args = arguments()
    runs = {}
    for name in OPTIMIZERS:
        print(f"\n{name}")
        runs[name] = train(name, args)
    path = args.log_dir / "optimizers.png"
    plot(runs, path)
    print(f"\nPicture: {path}\nStep by step: tensorboard --logdir {args.log_dir}")


if __name__ == "__main__":
    main()

"""Adds diagnostics to an existing project: one callback, with model and optimizer unchanged.

python examples/existing_project.py
"""

from __future__ import annotations

import argparse

import keras
import numpy as np
from datasets import load

import keras_l4


def existing_model() -> tuple[np.ndarray, np.ndarray, keras.Model]:
    """Returns data and model of the project; its optimizer is one that keras_l4 does not implement."""
    x, y, model = load("digits")
    schedule = keras.optimizers.schedules.CosineDecay(1e-3, decay_steps=300)
    optimizer = keras.optimizers.Lion(schedule, weight_decay=0.01, global_clipnorm=1.0)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return x, y, model


def main() -> None:
    parser = argparse.ArgumentParser(formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--log-dir", default="logs/existing_project")
    args = parser.parse_args()

    keras.utils.set_random_seed(0)
    x, y, model = existing_model()
    callbacks = [
        keras.callbacks.EarlyStopping("loss", patience=2),
        keras_l4.callbacks.TrainingDiagnostics(args.log_dir),  # The only new line.
    ]
    model.fit(x, y, epochs=args.epochs, callbacks=callbacks)

    run = keras_l4.load(args.log_dir)
    clipped = run.series("clip_factor").values.min(axis=1) < 1
    print(f"{type(model.optimizer).__name__}: {run}")
    print(f"Clipping shortened the gradient in {clipped.mean():.0%} of the sampled steps.")


if __name__ == "__main__":
    main()

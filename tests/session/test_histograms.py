"""Histograms of gradients and weights in the event file."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
from tensorboard.util.tensor_util import make_ndarray

from keras_l4.callbacks import TrainingDiagnostics
from keras_l4.events.reader import read_events
from tests.training import STEPS, build, event_files, norms, train


def test_histograms_are_written_in_their_epoch_and_contain_finite_elements_only(
    tmp_path: Path,
) -> None:
    diagnostics = TrainingDiagnostics(
        tmp_path, quantities=["gradient_norm"], histogram_freq=2, every=1, verbose=0
    )
    model = build(keras.optimizers.SGD(0.1))
    train(model, diagnostics, nan_at=2, epochs=2)

    (path,) = event_files(tmp_path)
    values = [(event.step, value) for event in read_events(path) for value in event.summary.value]
    histograms = {
        (step, value.tag): make_ndarray(value.tensor)
        for step, value in values
        if value.metadata.plugin_data.plugin_name == "histograms"
    }
    paths = [v.path for v in model.trainable_variables]
    tags = {f"{kind}/{p}" for kind in ("gradients", "weights") for p in paths}
    assert set(histograms) == {(2 * STEPS, tag) for tag in tags}
    assert all(np.isfinite(values).all() for values in histograms.values())


def test_the_last_sampled_gradient_is_used_even_if_it_was_read_before_the_last_read(
    tmp_path: Path,
) -> None:
    # 15 of the 24 steps are read after the 16th; none of the other steps is sampled.
    ours = norms(tmp_path, histogram_freq=1, every=14, flush_every=16)
    model = build()
    train(model, ours, batch_size=1)

    content = event_files(tmp_path)[0].read_bytes()
    assert all(f"gradients/{v.path}".encode() in content for v in model.trainable_variables)


def test_histograms_are_off_by_default(tmp_path: Path) -> None:
    train(build(), norms(tmp_path))

    assert b"gradients/" not in event_files(tmp_path)[0].read_bytes()

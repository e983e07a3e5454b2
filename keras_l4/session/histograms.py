"""Histograms of gradients and weights, as `write_grads` of Keras' TensorBoard once wrote them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_l4 import backend
from keras_l4.events import histogram_tag
from keras_l4.recorder.reader import RingSlice
from keras_l4.recorder.recorder import Recorder


def histograms(recorder: Recorder, rows: RingSlice) -> dict[str, np.ndarray]:
    """Returns the finite elements of each weight and of its last sampled gradient, by tag.

    Weights that are partly stored in other processes are left out.
    """
    paths = [variable.path for variable in recorder.layout.variables]
    values = map(backend.distribution.gather_to_host, recorder.gradient_pipeline.variables)
    weights = {
        histogram_tag("weights", path): value
        for path, value in zip(paths, values, strict=True)
        if value is not None
    }
    return {tag: _finite(value) for tag, value in (weights | _gradients(paths, rows)).items()}


def _gradients(paths: Sequence[str], rows: RingSlice) -> dict[str, np.ndarray]:
    if not len(rows.sampled.t):
        return {}
    pairs = zip(paths, rows.gradient_samples, strict=True)
    return {histogram_tag("gradients", path): samples[-1] for path, samples in pairs}


def _finite(values: np.ndarray) -> np.ndarray:
    flat = values.astype(np.float64).ravel()
    return flat[np.isfinite(flat)]

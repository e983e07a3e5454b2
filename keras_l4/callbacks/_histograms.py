"""Histograms of gradients and weights: what `write_grads` once did."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from keras_l4.events import histogram_tag
from keras_l4.recorder.reader import Chunk
from keras_l4.recorder.recorder import Recorder


def histograms(recorder: Recorder, chunk: Chunk) -> dict[str, np.ndarray]:
    """Tag to finite elements: of the weights, and of the last sampled gradient."""
    paths = [v.path for v in recorder.layout.variables]
    values = [keras.ops.convert_to_numpy(v) for v in recorder.consumption.variables]
    weights = {histogram_tag("weights", p): v for p, v in zip(paths, values, strict=True)}
    return {tag: _finite(v) for tag, v in (weights | _gradients(paths, chunk)).items()}


def _gradients(paths: Sequence[str], chunk: Chunk) -> dict[str, np.ndarray]:
    if not len(chunk.looked.t):
        return {}
    pairs = zip(paths, chunk.gradients, strict=True)
    return {histogram_tag("gradients", path): sample[-1] for path, sample in pairs}


def _finite(values: np.ndarray) -> np.ndarray:
    flat = values.astype(np.float64).ravel()
    return flat[np.isfinite(flat)]

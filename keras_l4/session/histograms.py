"""Histograms of gradients and weights: what `write_grads` once did."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_l4 import backend
from keras_l4.events import histogram_tag
from keras_l4.recorder.reader import RingSlice
from keras_l4.recorder.recorder import Recorder


def histograms(recorder: Recorder, chunk: RingSlice) -> dict[str, np.ndarray]:
    """Tag to finite elements: of the weights, and of the last sampled gradient.

    Weights of which other processes hold parts are left out.
    """
    paths = [v.path for v in recorder.layout.variables]
    values = zip(
        paths, map(backend.distribution.gather_to_host, recorder.consumption.variables), strict=True
    )
    weights = {histogram_tag("weights", path): v for path, v in values if v is not None}
    return {tag: _finite(v) for tag, v in (weights | _gradients(paths, chunk)).items()}


def _gradients(paths: Sequence[str], chunk: RingSlice) -> dict[str, np.ndarray]:
    if not len(chunk.looked.t):
        return {}
    pairs = zip(paths, chunk.gradients, strict=True)
    return {histogram_tag("gradients", path): sample[-1] for path, sample in pairs}


def _finite(values: np.ndarray) -> np.ndarray:
    flat = values.astype(np.float64).ravel()
    return flat[np.isfinite(flat)]

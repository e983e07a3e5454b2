"""Sample: some elements of each tensor, from which quantiles and histograms are taken."""

from __future__ import annotations

from typing import Any

from keras_l4 import backend
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.step import Step


def sample(layout: Layout, step: Step) -> Any:
    """Of the second moments and the gradients, as `layout` says, `float32[layout.num_samples]`."""
    kinds = [step.second_moments] if layout.with_second_moments else []
    kinds += [step.gradients] if layout.with_gradients else []
    places = list(zip(layout.strides, layout.sample_sizes.tolist(), strict=True))
    parts = [
        backend.core.strided_sample(x, stride, size)
        for tensors in kinds
        for x, (stride, size) in zip(tensors, places, strict=True)
    ]
    return backend.ring_buffer.concat_flat(parts or [0], "float32")

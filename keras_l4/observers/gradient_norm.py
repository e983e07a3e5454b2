"""Observers: what a callback does with the blocks it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from keras_l4.observers.base import Observer
from keras_l4.records.block import StepBlock

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


class MeanGradientNorm(Observer):
    """`gradient_norm`: the global norm, mean over the epoch's finite steps, NaN if none is."""

    def begin_epoch(self) -> None:
        self._norms: list[np.ndarray] = []

    def observe(self, block: StepBlock, callback: RecordingCallback) -> None:
        norms = block.global_gradient_norm
        self._norms.append(norms[np.isfinite(norms)])

    def epoch_logs(self) -> Mapping[str, float]:
        norms = np.concatenate([*self._norms, np.empty(0)])
        return {"gradient_norm": float(norms.mean()) if len(norms) else float("nan")}

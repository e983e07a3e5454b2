"""MeanGradientNorm: the gradient norm in the `logs` of each epoch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_l4.observers.base import Observer, ObserverContext
from keras_l4.records.block import StepBlock


class MeanGradientNorm(Observer):
    """Logs `gradient_norm`: the global norm, averaged over the finite steps of the epoch.

    It is NaN if no step of the epoch is finite.
    """

    def begin_epoch(self) -> None:
        self._norms: list[np.ndarray] = []

    def observe(self, block: StepBlock, context: ObserverContext) -> None:
        norms = block.global_gradient_norm
        self._norms.append(norms[np.isfinite(norms)])

    def epoch_logs(self) -> Mapping[str, float]:
        norms = np.concatenate([*self._norms, np.empty(0)])
        return {"gradient_norm": float(norms.mean()) if len(norms) else float("nan")}

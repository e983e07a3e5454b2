"""GradientNorms: what every layer's gradient and update did."""

from __future__ import annotations

import os
from typing import Unpack

from keras_l4.callbacks.base import RecordingCallback
from keras_l4.observers.gradient_norm import MeanGradientNorm
from keras_l4.session.options import CommonArguments


class GradientNorms(RecordingCallback):
    """Records the gradient norm of every layer at every step.

    And on every `every`-th step the norms of weights and updates, their ratio, the largest
    gradient, the shares of zeros and subnormals, and what clipping leaves. `gradient_norm` (over
    all layers, mean over the epoch's finite steps) joins the `logs` of the epoch.

    Args:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        **options: Those of `TrainingDiagnostics`.

    Example:

    >>> callback = GradientNorms(every=20, include="kernel")
    """

    quantities = (
        "gradient_norm",
        "weight_norm",
        "update_norm",
        "update_ratio",
        "gradient_max_abs",
        "zero_fraction",
        "subnormal_fraction",
        "clip_factor",
    )

    def __init__(
        self,
        log_dir: str | os.PathLike[str] | None = None,
        **options: Unpack[CommonArguments],
    ) -> None:
        super().__init__(log_dir, [MeanGradientNorm()], **options)

"""NaN count: elements of the gradient that are not a number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from keras_l4 import backend
from keras_l4.quantities._base import EVERY_STEP, Folded

if TYPE_CHECKING:
    from keras_l4.recorder.effective_rate import Rate


class NanCount(Folded):
    """Number of NaN in the gradient. Exact."""

    name = "nan_count"
    unit = "elements"
    when = EVERY_STEP
    pool = "count"
    dtype = "int"
    of_nonfinite = True

    def element(self, x: Any, rate: Rate) -> Any:
        return backend.core.is_nan(x)

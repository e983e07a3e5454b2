"""Quantities: the numbers that are recorded per variable and step, one class per file.

Start with `_base.py`: the base classes, when a quantity is measured, and what it may read. Every
public module of this package is imported here, so that a new file registers a new quantity.

This package imports `keras_l4.backend` and nothing above it. The recorder passes its objects in;
`StepContext`, `MeasuredValues` and `ElementwiseRate` state what quantities read of them.

>>> registry["gradient_norm"].unit
'loss per unit of weight'
"""

from keras_l4.quantities._base import (
    EVERY_STEP,
    SAMPLED,
    DerivedQuantity,
    DeviceQuantity,
    ElementwiseRate,
    MeasuredValues,
    NormQuantity,
    Quantity,
    ReductionQuantity,
    StepContext,
    registry,
)
from keras_l4.registry import import_submodules

import_submodules(__name__, __path__)

__all__ = [
    "EVERY_STEP",
    "SAMPLED",
    "DerivedQuantity",
    "DeviceQuantity",
    "ElementwiseRate",
    "MeasuredValues",
    "NormQuantity",
    "Quantity",
    "ReductionQuantity",
    "StepContext",
    "registry",
]

"""What is measured: one small pure function per file. A new file here is a new quantity."""

import importlib
import pkgutil

from keras_l4.quantities._base import (
    EVERY_STEP,
    SAMPLED,
    Derived,
    Folded,
    Measured,
    Normed,
    Quantity,
    registry,
)

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = [
    "EVERY_STEP",
    "SAMPLED",
    "Derived",
    "Folded",
    "Measured",
    "Normed",
    "Quantity",
    "registry",
]

"""Training diagnostics for Keras 3: gradients, updates and effective learning rates.

Names are imported on first use: TensorBoard loads every installed plugin at start, and reading a
record needs neither Keras nor TensorFlow. Importing this package patches nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_l4 import callbacks, curvature, observers, optimizers
    from keras_l4.curvature import surfaces
    from keras_l4.custom_loop import Watch, watch
    from keras_l4.events import Run, load
    from keras_l4.forensics.replay import Replay, replay
    from keras_l4.records.block import StepBlock

__version__ = "0.1.0"

__all__ = [
    "Replay",
    "Run",
    "StepBlock",
    "Watch",
    "__version__",
    "callbacks",
    "curvature",
    "load",
    "observers",
    "optimizers",
    "replay",
    "surfaces",
    "watch",
]

_SUBMODULES = {
    "callbacks": "keras_l4.callbacks",
    "curvature": "keras_l4.curvature",
    "observers": "keras_l4.observers",
    "optimizers": "keras_l4.optimizers",
    "surfaces": "keras_l4.curvature.surfaces",
}
_MODULES = {
    "Replay": "keras_l4.forensics.replay",
    "Run": "keras_l4.events",
    "StepBlock": "keras_l4.records.block",
    "Watch": "keras_l4.custom_loop",
    "load": "keras_l4.events",
    "replay": "keras_l4.forensics.replay",
    "watch": "keras_l4.custom_loop",
}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(_SUBMODULES[name])
    if name in _MODULES:
        return getattr(import_module(_MODULES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""Training diagnostics for Keras 3: what gradients, updates and effective learning rates did.

Names are imported when they are first used: TensorBoard loads every installed plugin at start,
and reading a record needs neither Keras nor TensorFlow.
"""

from __future__ import annotations

import contextlib
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_l4 import callbacks, curvature, optimizers
    from keras_l4.curvature import surfaces
    from keras_l4.custom_loop import watch
    from keras_l4.events import Run, load
    from keras_l4.forensics.replay import Replay, replay
    from keras_l4.records.block import StepBlock

__version__ = "0.1.0"

__all__ = [
    "Replay",
    "Run",
    "StepBlock",
    "__version__",
    "callbacks",
    "curvature",
    "load",
    "optimizers",
    "replay",
    "surfaces",
    "watch",
]

_SUBMODULES = {
    "callbacks": "keras_l4.callbacks",
    "curvature": "keras_l4.curvature",
    "optimizers": "keras_l4.optimizers",
    "surfaces": "keras_l4.curvature.surfaces",
}
_HOMES = {
    "Replay": "keras_l4.forensics.replay",
    "Run": "keras_l4.events",
    "StepBlock": "keras_l4.records.block",
    "load": "keras_l4.events",
    "replay": "keras_l4.forensics.replay",
    "watch": "keras_l4.custom_loop",
}


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(_SUBMODULES[name])
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


# `model.fit(x, callbacks=[keras_l4.callbacks.TrainingDiagnostics()])` looks `fit` up before it
# asks for the callbacks, which guard it. An unknown backend is told when it is used.
if "keras" in sys.modules:
    with contextlib.suppress(ImportError):
        import_module("keras_l4.callbacks")

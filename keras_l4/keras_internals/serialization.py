"""The private Keras names that recording cannot do without, each with its reason."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from keras.src import api_export
from keras.src.saving import object_registration
from keras.src.utils import module_utils

_C = TypeVar("_C", bound=type)


def save_as(stock: Any) -> Callable[[_C], _C]:
    """Makes Keras save instances of the decorated class under the public name of `stock`.

    Keras looks the class of an object up in this table; there is no other hook.
    """

    def register(cls: _C) -> _C:
        api_export.REGISTERED_OBJS_TO_NAMES[cls] = f"keras.optimizers.{stock.__name__}"
        return cls

    return register


def save_like(cls: type, original: type) -> None:
    """Makes Keras save instances of `cls` as it saves those of `original`."""
    for names in (api_export.REGISTERED_OBJS_TO_NAMES, object_registration.GLOBAL_CUSTOM_NAMES):
        if original in names:
            names[cls] = names[original]


@contextlib.contextmanager
def without_tensorflow() -> Iterator[None]:
    """Keras' serialization does not load TensorFlow inside.

    It would, wherever that is installed, to see whether an object is one of TensorFlow's; where it
    is not loaded, none is.
    """
    lazy = module_utils.tensorflow
    available = lazy._available
    if "tensorflow" not in sys.modules:
        lazy._available = False
    try:
        yield
    finally:
        lazy._available = available

"""Controls under which name Keras saves an object, and what its serialization imports."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from keras.src import api_export
from keras.src.saving import object_registration
from keras.src.utils import module_utils

from keras_l4.keras_internals.overrides import override_on_instance

_C = TypeVar("_C", bound=type)


def save_as(stock: Any) -> Callable[[_C], _C]:
    """Decorates a class so that Keras saves its instances under the public name of `stock`.

    A saved model can then be loaded without keras_l4.
    """

    def register(cls: _C) -> _C:
        # Keras looks a class up in this table when it saves an object; there is no other hook. An
        # unregistered class would be saved as `keras_l4.optimizers.…`.
        api_export.REGISTERED_OBJS_TO_NAMES[cls] = f"keras.optimizers.{stock.__name__}"
        return cls

    return register


def save_like(cls: type, original: type) -> None:
    """Makes Keras save instances of `cls` as it saves those of `original`."""
    # The second table has the classes of `keras.saving.register_keras_serializable`.
    for names in (api_export.REGISTERED_OBJS_TO_NAMES, object_registration.GLOBAL_CUSTOM_NAMES):
        if original in names:
            names[cls] = names[original]


def without_loading_tensorflow() -> AbstractContextManager[None]:
    """Keeps Keras' serialization from importing TensorFlow inside the context.

    Where TensorFlow is installed, Keras imports it to see whether an object is one of its tensors.
    If it is not loaded yet, no object is, and the seconds and the memory would be wasted.
    """
    # `_available` of Keras' lazy module is how its code asks for TensorFlow.
    is_loaded = "tensorflow" in sys.modules
    return (
        nullcontext()
        if is_loaded
        else override_on_instance(module_utils.tensorflow, _available=False)
    )

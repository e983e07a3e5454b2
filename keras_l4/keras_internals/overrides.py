"""Replaces attributes of Keras objects, library modules and classes for a limited time."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any


@contextlib.contextmanager
def override_on_instance(instance: Any, **attributes: Any) -> Iterator[None]:
    """Overrides attributes of one Keras object inside the context.

    Writes to the `__dict__` of the object, where Python looks before it looks for a method of the
    class. `setattr` would make Keras, TensorFlow and torch track the value, and save it with the
    model.
    """
    namespace = vars(instance)
    before = {name: namespace[name] for name in attributes if name in namespace}
    namespace.update(attributes)
    try:
        yield
    finally:
        for name in attributes:
            del namespace[name]
        namespace.update(before)


def attach_untracked(instance: Any, name: str, value: Any) -> None:
    """Sets an attribute of a Keras object that Keras neither tracks nor saves."""
    vars(instance)[name] = value


@contextlib.contextmanager
def patch(owner: Any, **attributes: Any) -> Iterator[None]:
    """Patches attributes of a module or a class inside the context, for the whole process."""
    # Not `getattr`: it would bind a class method, and copy an inherited one into the subclass.
    before = {name: vars(owner)[name] for name in attributes if name in vars(owner)}
    try:
        for name, value in attributes.items():
            setattr(owner, name, value)
        yield
    finally:
        for name in attributes:
            if name in before:
                setattr(owner, name, before[name])
            else:
                delattr(owner, name)


def silence_warnings() -> AbstractContextManager[None]:
    """Suppresses what is passed to `warnings.warn` inside the context.

    `warnings.catch_warnings` is no alternative: when it exits, Python forgets which warnings it has
    shown, so that every warning of the training would be shown again.
    """
    return patch(warnings, warn=lambda *args, **kwargs: None)


def without_metric_reset(model: Any) -> AbstractContextManager[None]:
    """Makes `model.reset_metrics` do nothing inside the context.

    `train_on_batch` calls it before each batch, whereas `fit` shows means over the epoch.
    """
    return override_on_instance(model, reset_metrics=lambda: None)


@contextlib.contextmanager
def override_calls(
    layers: Sequence[Any], replacement: Callable[[Any, Callable[..., Any]], Callable[..., Any]]
) -> Iterator[None]:
    """Overrides the method `call` of layers inside the context.

    Args:
        layers: The layers.
        replacement: Maps a layer and its `call` to the function that replaces `call`.
    """
    with contextlib.ExitStack() as stack:
        for layer in layers:
            call = replacement(layer, layer.call)
            stack.enter_context(override_on_instance(layer, call=call))
        yield

"""Observes calls of functions with a custom gradient, and patches TensorFlow's operations.

Only second derivatives need this module: `fit` does not import it. A custom gradient is that of
`tf.custom_gradient`, `jax.custom_vjp` or `torch.autograd.Function`, to which
`keras.ops.custom_gradient` resolves, too.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

from keras_l4.keras_internals.overrides import patch

Function: TypeAlias = Callable[..., Any]
OnCall: TypeAlias = Callable[[Function, Sequence[Any]], None]
"""Takes a function with a custom gradient and the positional arguments of its call."""


@contextlib.contextmanager
def observe_jax_custom_vjp(on_call: OnCall) -> Iterator[None]:
    """Calls `on_call` before each call of a `jax.custom_vjp` inside the context.

    Patches the public `jax.custom_vjp.__call__`: JAX has no hook for calls of such a function.
    """
    import jax

    stock_call = jax.custom_vjp.__call__

    def observed_call(function: Any, *args: Any, **kwargs: Any) -> Any:
        on_call(functools.partial(stock_call, function, **kwargs), args)
        return stock_call(function, *args, **kwargs)

    with patch(jax.custom_vjp, __call__=observed_call):
        yield


@contextlib.contextmanager
def observe_tensorflow_custom_gradient(on_call: OnCall) -> Iterator[None]:
    """Calls `on_call` before each eager call of a `tf.custom_gradient` inside the context."""
    import tensorflow as tf
    from tensorflow.python.ops import custom_gradient

    # `_eager_mode_decorator` is what a decorated function calls. Patching the public decorator would
    # be too late: functions are decorated where they are defined, before this context is entered.
    stock_call = custom_gradient._eager_mode_decorator

    def observed_call(function: Any, args: Any, kwargs: Any) -> Any:
        on_call(functools.partial(tf.custom_gradient(function), **kwargs), args)
        return stock_call(function, args, kwargs)

    with patch(custom_gradient, _eager_mode_decorator=observed_call):
        yield


@contextlib.contextmanager
def observe_torch_autograd_functions(on_call: OnCall) -> Iterator[None]:
    """Calls `on_call` before each call of a `torch.autograd.Function` inside the context."""
    import torch

    # `torch.autograd.Function.apply` calls the inherited `apply` of `_SingleLevelFunction`. Patching
    # the public `apply` would miss code that stored a reference to it, such as
    # `relu = MyRelu.apply`.
    base = torch.autograd.function._SingleLevelFunction

    def observed_apply(cls: Any, *args: Any, **kwargs: Any) -> Any:
        on_call(functools.partial(cls.apply, **kwargs), args)
        return super(base, cls).apply(*args, **kwargs)

    with patch(base, apply=classmethod(observed_apply)):
        yield


@contextlib.contextmanager
def replace_tensorflow_operations(moments: Function, resize: Function) -> Iterator[None]:
    """Replaces `tf.nn.moments` and `tf.image.resize` inside the context.

    Keras' layers call these two, and TensorFlow treats part of their gradients as constant, so that
    second derivatives would be wrong without an error.
    """
    import tensorflow as tf

    with patch(tf.nn, moments=moments), patch(tf.image, resize=resize):
        yield

"""Patches TensorFlow's eager differentiation to tell which operation a derivative belongs to.

Only forensics' step trace needs this module: `fit` does not import it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeAlias

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop, core, record

from keras_l4.keras_internals.overrides import patch

GradientScope: TypeAlias = Callable[[str, str], AbstractContextManager[Any]]
"""Maps the name of an operation and the name scope it ran in to the context of its derivative."""


@contextlib.contextmanager
def scope_gradient_functions(scope: GradientScope) -> Iterator[None]:
    """Enters `scope(operation, name_scope)` around the computation of each derivative.

    TensorFlow has no public hook: callbacks of operations see the operations of which a derivative
    consists, not the one that is differentiated. Operations and their derivatives have to run
    eagerly inside the context.
    """
    record_operation = record.record_operation
    pywrap_tfe.TFE_Py_RegisterGradientFunction(_scoped_gradient_function(scope))
    try:
        with (
            patch(pywrap_tfe, TFE_Py_FastPathExecute=_refuse_fast_path),
            patch(record, record_operation=_scoped_record(record_operation, scope)),
        ):
            yield
    finally:
        # `_gradient_function` is what TensorFlow registers when it is imported.
        pywrap_tfe.TFE_Py_RegisterGradientFunction(backprop._gradient_function)


def _refuse_fast_path(*arguments: Any) -> Any:
    # At `_FallbackException` TensorFlow takes the slow path, which computes the same, but records
    # the name scope; the fast path does not, so that the derivative would have no layer.
    raise core._FallbackException("The fast path records no name scope.")


def _scoped_gradient_function(scope: GradientScope) -> Any:
    def gradient_function(name: str, *arguments: Any) -> Any:
        with scope(tf.compat.as_str(name), arguments[-1] or ""):
            return backprop._gradient_function(name, *arguments)

    return gradient_function


def _scoped_record(record_operation: Any, scope: GradientScope) -> Any:
    """Wraps `record.record_operation`, with which functions with a custom gradient are recorded."""

    def record_with_scope(
        op_type: Any,
        output_tensors: Any,
        input_tensors: Any,
        backward_function: Any,
        forward_function: Any = None,
    ) -> Any:
        name_scope = tf.get_current_name_scope()

        def scoped_backward(*upstream: Any) -> Any:
            # The backward function may compute the forward pass again, and differentiate that.
            # The slash makes TensorFlow enter the scope itself, not a new one of that name.
            tf_scope = tf.name_scope(f"{name_scope}/") if name_scope else contextlib.nullcontext()
            with tf_scope, scope("custom_gradient", name_scope):
                return backward_function(*upstream)

        return record_operation(
            op_type, output_tensors, input_tensors, scoped_backward, forward_function
        )

    return record_with_scope

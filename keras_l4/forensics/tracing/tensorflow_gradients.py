"""TensorFlow: of which operation a derivative is, told while it is computed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from tensorflow.python import pywrap_tfe
from tensorflow.python.eager import backprop, core, record


@dataclass
class Differentiated:
    """The operation whose derivative is computed now.

    Attributes:
        name: What TensorFlow calls it; "" where none is.
        scope: The name scope that it was run under.
    """

    name: str = ""
    scope: str = ""

    @contextlib.contextmanager
    def set_to(self, name: str, scope: str) -> Iterator[None]:
        """The operation, while its derivative is computed."""
        before = self.name, self.scope
        self.name, self.scope = name, scope
        try:
            yield
        finally:
            self.name, self.scope = before


@contextlib.contextmanager
def named_gradients(differentiated: Differentiated) -> Iterator[None]:
    """Keeps `differentiated` up to date, for gradients of what is run inside."""
    # Nothing public tells the operation: callbacks see what its derivative is made of.
    execute, record_operation = pywrap_tfe.TFE_Py_FastPathExecute, record.record_operation
    pywrap_tfe.TFE_Py_FastPathExecute = _fall_back
    record.record_operation = _recording(record_operation, differentiated)
    pywrap_tfe.TFE_Py_RegisterGradientFunction(_naming(differentiated))
    try:
        yield
    finally:
        pywrap_tfe.TFE_Py_RegisterGradientFunction(backprop._gradient_function)
        record.record_operation = record_operation
        pywrap_tfe.TFE_Py_FastPathExecute = execute


def _fall_back(*arguments: Any) -> Any:
    # The slow way does the same, but takes down the name scope.
    raise core._FallbackException("The fast path keeps no name scope.")


def _naming(differentiated: Differentiated) -> Any:
    def named(name: str, *arguments: Any) -> Any:
        with differentiated.set_to(tf.compat.as_str(name), arguments[-1] or ""):
            return backprop._gradient_function(name, *arguments)

    return named


def _recording(record_operation: Any, differentiated: Differentiated) -> Any:
    """For gradients that are written by hand."""

    def recorded(
        op_type: Any,
        output_tensors: Any,
        input_tensors: Any,
        backward_function: Any,
        forward_function: Any = None,
    ) -> Any:
        scope = tf.get_current_name_scope()

        def scoped(*upstream: Any) -> Any:
            # It may run the forward pass again, and differentiate that.
            under = tf.name_scope(f"{scope}/") if scope else contextlib.nullcontext()
            with under, differentiated.set_to("custom_gradient", scope):
                return backward_function(*upstream)

        return record_operation(op_type, output_tensors, input_tensors, scoped, forward_function)

    return recorded

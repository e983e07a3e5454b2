"""The interface that `tensorflow/`, `jax/` and `torch/` implement: one protocol per module.

`keras_l4.backend` gives mypy these protocols as the types of its modules, and
`tests/backend/test_interface.py` compares names, parameters and defaults. The functions of the three
packages have docstrings and comments only where a backend differs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias, TypeVar

import keras
import numpy as np

Tensor: TypeAlias = Any
Array: TypeAlias = np.ndarray[Any, Any]
Variable: TypeAlias = keras.Variable
Ring: TypeAlias = keras.Variable
"""A ring buffer: a device variable whose first axis is the row."""
Function = TypeVar("Function", bound=Callable[..., Any])


class Core(Protocol):
    """Control flow, reads of variables, and elementwise operations of the recorded step."""

    def no_grad(self, function: Function) -> Function:
        """Decorates a function whose operations must not be differentiated."""

    def to_flag(self, flag: Tensor) -> Any:
        """Returns a boolean tensor as `cond` expects it.

        TensorFlow and JAX return the traced tensor. torch waits for the device and returns a bool.
        """

    def logical_or(self, a: Any, b: Any) -> Any:
        """Returns `a or b` for two flags."""

    def all_true(self, mask: Tensor) -> Tensor:
        """Returns True if all elements of a boolean tensor are True."""

    def cond(self, pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
        """Returns `true_fn()` if `pred`, else `false_fn()`; both give the same shapes and dtypes."""

    def cond_with_row(
        self,
        pred: Any,
        true_fn: Callable[[], tuple[Sequence[Tensor], Tensor]],
        false_fn: Callable[[], Sequence[Tensor]],
        ring: Ring,
        index: Any,
    ) -> Sequence[Tensor]:
        """Like `cond`, but `true_fn` also returns a row, which is written to `ring[index]`."""

    def apply_unless(
        self, should_skip: Any, update: Callable[[], None], variables: Sequence[Variable]
    ) -> None:
        """Runs `update`, which assigns to `variables`; they keep their values if `should_skip`."""

    def where(self, condition: Tensor, x: Tensor, y: Tensor) -> Tensor:
        """Returns the elements of `x` where `condition` is True, else those of `y`."""

    def constant(self, array: Array, like: Tensor) -> Tensor:
        """Returns a constant tensor of `array`, on the device of `like`."""

    def read_variable(self, variable: Any, xla: bool) -> Tensor:
        """Returns the current value of a variable; under XLA, possibly flattened.

        On torch a later assignment changes the result, which is not a copy.
        """

    def read_counter(self, counter: Variable) -> Tensor:
        """Returns a copy of a scalar variable, which later assignments do not change."""

    def snapshot_variables(
        self,
        is_sampled: Any,
        variables: Sequence[Variable],
        xla: bool,
        weight_buffer: WeightBuffer | None = None,
    ) -> Callable[[], list[Tensor]]:
        """Copies variables before they are assigned to.

        Args:
            is_sampled: A flag. The copies are valid only if it is True.
            variables: The variables.
            xla: True if XLA compiles the step.
            weight_buffer: From `step_state.create_weight_buffer`; copy into it.

        Returns:
            A function that returns the copies, to be called where `is_sampled`.
        """

    def optimization_barrier(self, x: Tensor) -> Tensor:
        """Returns `x`; the compiler cannot move operations from one side of the call to the other."""

    def to_float32(self, x: Tensor) -> Tensor:
        """Casts narrower floats to float32; float32 and float64 are returned unchanged."""

    def to_accumulation_dtype(self, x: Tensor) -> Tensor:
        """Casts `x` to a float dtype in which the sum of its elements is accurate to float32."""

    def subtract_in_float32(self, x: Tensor, y: Tensor) -> Tensor:
        """Returns x - y, computed in float32 or float64."""

    def is_nan(self, x: Tensor) -> Tensor:
        """Returns a mask of the NaN elements."""

    def is_inf(self, x: Tensor) -> Tensor:
        """Returns a mask of the elements that are Inf or -Inf."""

    def strided_sample(self, x: Tensor, stride: int, size: int) -> Tensor:
        """Returns every `stride`-th element, `float32[size]`.

        A sparse or missing gradient has fewer elements than its variable. The sample then ends with
        zeros.
        """


class Reductions(Protocol):
    """Sums, counts and extremes over the elements of many tensors, in few operations."""

    def reduce_elements(
        self,
        tensors: Sequence[Tensor],
        map_elements: Callable[..., list[Tensor]],
        reductions: Sequence[str],
        *vectors: Tensor,
    ) -> list[Tensor]:
        """Reduces each tensor to scalars, small tensors together.

        Args:
            tensors: The tensors.
            map_elements: Called with a tensor, or with the elements of several tensors, and with the
                matching element of each of `vectors`. Returns one tensor per reduction, of the shape
                of its first argument.
            reductions: How each of them is reduced: `"count"` of True elements, `"max_abs"`,
                `"maximum"`, `"minimum"` or `"sum"`. NaN elements give a NaN `"max_abs"`; `"maximum"`
                and `"minimum"` may ignore them.
            vectors: A number per tensor, `[len(tensors)]` each.

        Returns:
            A vector `[len(tensors)]` per reduction, 0 for an empty tensor: integers for a count, the
            widest dtype of the summed tensors for a sum, else float32. Without tensors or without
            reductions, an empty list.
        """

    def magnitude_bits(self, x: Tensor) -> Tensor:
        """Returns the bits of floats without the sign bit, as integers of the same width.

        They are ordered like the magnitudes, and NaN is larger than Inf.
        """

    def fast_norms(self, tensors: Sequence[Tensor]) -> Tensor:
        """Returns √Σx² of each tensor, `float32[len(tensors)]`. The sum may over- or underflow."""

    def means(self, tensors: Sequence[Tensor]) -> Tensor:
        """Returns the mean of each tensor, `float32[len(tensors)]`; 0 for an empty one."""


class Gradients(Protocol):
    """Reads of gradients that do not change how the optimizer's update is rounded."""

    def dense_gradient(self, gradient: Tensor, xla: bool) -> Tensor:
        """Returns the elements of a gradient as a dense tensor; under XLA, possibly flattened.

        A sparse gradient gives the rows that occur in it, with repeated rows summed.
        """

    def is_sparse(self, gradient: Tensor) -> bool:
        """Returns True if the gradient contains only some rows of its variable."""


class RingBuffer(Protocol):
    """Variables that stay on the device between steps, and their copies on the host."""

    def create(
        self, name: str, shape: tuple[int, ...], dtype: str, colocate_with: Variable
    ) -> Ring:
        """Creates a variable of zeros on the device of `colocate_with`."""

    def create_counters(self, name: str, size: int, colocate_with: Variable) -> Ring:
        """Creates `size` integer counters that start at zero."""

    def read_counters(self, counters: Ring) -> Any:
        """Returns the counts: an integer tensor, or on torch a list of int."""

    def increment_counters(self, counters: Ring, counts: Any, increments: Sequence[Any]) -> None:
        """Sets the counters to `counts + increments`; `counts` is from `read_counters`."""

    def concat_flat(self, values: Sequence[Any], dtype: str) -> Tensor:
        """Concatenates scalars and tensors to one vector."""

    def write(self, ring: Ring, index: Any, row: Tensor) -> None:
        """Sets `ring[index] = row`."""

    def overwrite(self, ring: Ring, values: Tensor) -> None:
        """Sets `ring[:] = values`."""

    def read(self, ring: Ring) -> Array:
        """Returns a copy on the host."""

    def read_async(self, rings: Sequence[Ring]) -> Callable[[], list[Array]]:
        """Starts to copy ring buffers. Returns a function that waits for the copies and returns them."""


class WeightBuffer(Protocol):
    """Device memory for copies of weights. It stays allocated between steps."""

    @property
    def rings(self) -> list[Ring]:
        """The variables that hold the copies."""

    def snapshot(
        self, is_sampled: Any, variables: Sequence[Variable]
    ) -> Callable[[], list[Tensor]]:
        """Copies the variables if `is_sampled`, and returns a function that returns the copies."""

    def free(self) -> None:
        """Frees the memory until `resume`."""

    def resume(self) -> None:
        """Allocates the memory again."""


class StepState(Protocol):
    """How the state of the recorder passes through the compiled train step."""

    STATE_IS_FUNCTIONAL: bool
    """True if the step function takes state as arguments and returns it, as on JAX."""

    def expose_in_optimizer_variables(self, rings: Sequence[Ring]) -> AbstractContextManager[None]:
        """Appends `rings` to `optimizer.variables` inside the context, if state is functional.

        Enter it where the step function is traced or run. Outside of it the optimizer has its own
        variables only, so that code that saves a model does not see the ring buffers.
        """

    def adopt_from_optimizer_variables(
        self, rings: Sequence[Ring], optimizer_variables: Sequence[Tensor]
    ) -> None:
        """Assigns to `rings` the tail of the optimizer state that a custom loop carries."""

    def exposed_rings(self, rings: Sequence[Ring]) -> list[Ring]:
        """Returns those of `rings` that this thread exposes at the moment."""

    def thread_rings_through(
        self, step_function: Callable[..., Any], get_rings: Callable[[], Sequence[Ring]]
    ) -> Callable[..., Any]:
        """Wraps Keras' train step so that it passes ring buffers in and out, if state is functional.

        Args:
            step_function: Called with `(state, iterator)`; returns `(logs, state)`.
            get_rings: Returns the ring buffers; called at each step.
        """

    def discarded_trace_detector(self, optimizers: Sequence[Any]) -> Callable[[], bool]:
        """Returns a function that returns True while TensorFlow traces a step only to discard it.

        Call it right after the optimizers created their variables. What the discarded trace
        measures is never read, and tracing it takes seconds.
        """

    def create_weight_buffer(
        self, variables: Sequence[Variable], optimizer: Any
    ) -> WeightBuffer | None:
        """Returns a buffer for the variables of a built optimizer; None where copies need none."""


class Distribution(Protocol):
    """Devices, replicas and processes that train one model together."""

    def is_replicated(self) -> bool:
        """Returns True if this code runs in one of several replicas."""

    def is_recording_replica(self) -> bool:
        """Returns True if this replica records; the others only take part in all-reduces."""

    def all_reduce_sum(self, gradients: Sequence[Tensor]) -> Sequence[Tensor]:
        """Returns the gradients, summed over the replicas. Every replica has to call it."""

    def is_first_process(self) -> bool:
        """Returns True if this process prints and writes; the others only train."""

    def has_other_processes(self) -> bool:
        """Returns True if other processes train the same model, in lockstep with this one."""

    def gather_to_host(self, variable: Variable) -> Array | None:
        """Returns a copy of a variable; None if other processes hold parts of it.

        Fetching those would need a call in every process.
        """

"""The log of a traced step: every operation whose result is NaN or Inf, and what it was computed from."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np

from keras_l4.forensics.tracing.operands import OperandSample, operand_sample
from keras_l4.forensics.tracing.operation_names import plain_name

NodeKind: TypeAlias = Literal["data", "weights", "operation"]
Phase: TypeAlias = Literal["forward", "loss", "backward"]


class OpLocation(NamedTuple):
    """Where an operation runs.

    Attributes:
        phase: Part of the training step.
        layer: Path of the layer in whose call it runs; "" outside of all layers.
    """

    phase: Phase
    layer: str


class Value(NamedTuple):
    """An input or output of an operation.

    Attributes:
        key: Identifies the tensor; two views of the same memory may share a key.
        array: Its elements if they are floating-point numbers. None for integers and for the handle
            of a variable.
        dtype: Name of the framework's dtype, since NumPy has no bfloat16.
        keep_alive: Object that the log references if the value is not finite. The key may be an
            address, which another tensor could get once this one is freed.
    """

    key: Hashable
    array: np.ndarray | None
    dtype: str
    keep_alive: Any = None

    @property
    def is_finite(self) -> bool:
        """True if no element is NaN or Inf."""
        return self.array is None or bool(np.isfinite(self.array).all())

    @property
    def has_nan(self) -> bool:
        """True if an element is NaN."""
        return self.array is not None and bool(np.isnan(self.array).any())


@dataclass(frozen=True)
class Node:
    """An operation with a non-finite result, or a non-finite input of the step.

    Nodes form a graph: `producers` are the edges. They are indices into the list of nodes.

    Attributes:
        kind: `"operation"`, or the kind of input: `"data"` (the batch) or `"weights"`.
        name: Plain name of the operation, name of the array in the batch, or path of the variable.
        location: Where the operation runs.
        producers: The nodes that produced the non-finite operands.
        is_deliberate: True if the infinities come from a constant in the program, such as the -Inf
            of an attention mask.
        differentiated: Plain name of the operation whose derivative this is; "" if unknown.
        sample: Operands and result of one element; None for an input of the step.
    """

    kind: NodeKind
    name: str
    location: OpLocation
    producers: tuple[int, ...] = ()
    is_deliberate: bool = False
    differentiated: str = ""
    sample: OperandSample | None = None


@dataclass(frozen=True)
class StepTrace:
    """The non-finite operations of one step, and those that reach its results.

    Attributes:
        nodes: Nodes in the order in which they ran; the inputs of the step come first.
        loss: Loss, without the loss scale.
        gradients: Gradients of the scaled loss, in the order of the trainable variables; None for
            a variable that the loss does not depend on.
        loss_scale: Factor by which the loss was multiplied; 1 without loss scaling.
        loss_producers: Nodes that produced the loss or the state that layers assign.
        gradient_producers: Nodes that produced the gradients or the scaled loss.
    """

    nodes: tuple[Node, ...]
    loss: float
    gradients: list[np.ndarray | None]
    loss_scale: float
    loss_producers: tuple[int, ...]
    gradient_producers: tuple[int, ...]


class NonFiniteOpLog:
    """Collects the nodes while the step runs.

    Attributes:
        nodes: The nodes so far.
    """

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self._producer_by_key: dict[Hashable, int] = {}
        self._kept_alive: list[Any] = []

    def add_input(self, kind: NodeKind, name: str, value: Value) -> None:
        """Adds an input of the step, if it is not finite."""
        if not value.is_finite:
            self._add_node(Node(kind, name, OpLocation("forward", "")), [value])

    def add_operation(
        self,
        name: str,
        location: OpLocation,
        inputs: Sequence[Value],
        outputs: Sequence[Value],
        differentiated: str = "",
    ) -> None:
        """Adds an operation, if one of its outputs is not finite.

        Args:
            name: The framework's name of the operation.
            location: Where it ran.
            inputs: Its inputs, with their elements from before it ran.
            outputs: Its outputs.
            differentiated: The framework's name of the operation whose derivative this is.
        """
        nonfinite = [value for value in outputs if not value.is_finite]
        if not nonfinite:
            return
        producers = self.producers(inputs)
        self._add_node(
            Node(
                "operation",
                plain_name(name),
                location,
                producers,
                self._is_deliberate(producers, inputs, nonfinite),
                plain_name(differentiated),
                operand_sample(plain_name(name), inputs, nonfinite[0]),
            ),
            nonfinite,
        )

    def producers(self, values: Sequence[Value]) -> tuple[int, ...]:
        """Returns the nodes that produced the non-finite ones of `values`, without duplicates."""
        indices = [
            self._producer_by_key.get(value.key)
            for value in values
            if value.array is None or not value.is_finite
        ]
        return tuple(dict.fromkeys(index for index in indices if index is not None))

    def producing_operations(self, values: Sequence[Value]) -> tuple[int, ...]:
        """Like `producers`, but without the inputs of the step.

        A variable that was not finite before the step and that the step did not assign has only
        an input as producer.
        """
        return tuple(i for i in self.producers(values) if self.nodes[i].kind == "operation")

    def _add_node(self, node: Node, outputs: Sequence[Value]) -> None:
        for value in outputs:
            self._producer_by_key[value.key] = len(self.nodes)
            self._kept_alive.append(value.keep_alive)
        self.nodes.append(node)

    def _is_deliberate(
        self, producers: Sequence[int], inputs: Sequence[Value], nonfinite: Sequence[Value]
    ) -> bool:
        # An infinity is written down in the program if it was passed on (`producers`), if the
        # operation makes a constant (no inputs), or if an operand is a literal Inf, which no node
        # produced. It is computed if all operands are finite.
        from_constant = bool(producers) or not inputs or not all(v.is_finite for v in inputs)
        return (
            from_constant
            and not any(value.has_nan for value in nonfinite)
            and all(self.nodes[i].is_deliberate for i in producers)
        )

"""Finds the root cause in a step trace: the node from which the non-finite numbers spread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keras_l4.forensics.tracing import Node, StepTrace


@dataclass(frozen=True)
class RootCause:
    """The first node from which non-finite numbers spread to a result of the step.

    Attributes:
        node: The node.
        reaches_loss: True if they spread to the loss or to the state that a layer assigns; False
            if only to gradients.
        consumers: The operations that took the non-finite result of `node` as an input and passed
            it on to a result of the step.
    """

    node: Node
    reaches_loss: bool
    consumers: tuple[Node, ...] = ()


def find_root_cause(trace: StepTrace) -> RootCause | None:
    """Returns the root cause, or None if all results of the step are finite.

    Non-finite inputs of the step come first, then operations.
    """
    loss_ancestors = _ancestors(trace.nodes, trace.loss_producers)
    ancestors = loss_ancestors | _ancestors(trace.nodes, trace.gradient_producers)
    for kind in ("data", "weights"):
        inputs = [i for i in sorted(ancestors) if trace.nodes[i].kind == kind]
        if inputs:
            return RootCause(trace.nodes[inputs[0]], inputs[0] in loss_ancestors)
    if not ancestors:
        return None
    reaches_loss = bool(loss_ancestors)
    reached = loss_ancestors or ancestors
    root = _first_root(trace.nodes, reached)
    consumers = [trace.nodes[i] for i in sorted(reached) if root in trace.nodes[i].producers]
    return RootCause(trace.nodes[root], reaches_loss, tuple(consumers))


def _ancestors(nodes: Sequence[Node], indices: Iterable[int]) -> set[int]:
    """Returns `indices` and all nodes from which they can be reached."""
    found: set[int] = set()
    pending = list(indices)
    while pending:
        index = pending.pop()
        if index not in found:
            found.add(index)
            pending += nodes[index].producers
    return found


def _first_root(nodes: Sequence[Node], candidates: set[int]) -> int:
    roots = (i for i in candidates if _is_root(nodes, i))
    return min(roots, default=min(candidates))


def _is_root(nodes: Sequence[Node], index: int) -> bool:
    """Returns True if the operands are finite, or constants of the program that are Inf."""
    node = nodes[index]
    return not node.is_deliberate and all(nodes[i].is_deliberate for i in node.producers)

"""Which of the operations of a step is to blame: paths from it to the loss or to a gradient."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from keras_l4.forensics.tracing import Node, StepTrace


@dataclass(frozen=True)
class RootCause:
    """The node that a step's first number came from that is not finite.

    Attributes:
        node: The first from which a path of such numbers leads to the loss, to what a layer
            assigns, or to a gradient.
        in_loss: Whether it leads to the loss or to what a layer assigns, not to a gradient only.
        taken_by: The operations on that path that took its numbers.
    """

    node: Node
    in_loss: bool
    taken_by: tuple[Node, ...] = ()


def blame(trace: StepTrace) -> RootCause | None:
    """Who is to blame, or None where all is finite."""
    to_loss = _ancestors(trace.nodes, trace.loss_origins)
    to_any = to_loss | _ancestors(trace.nodes, trace.gradient_origins)
    for sources in ("data", "weights"):
        given = [i for i in sorted(to_any) if trace.nodes[i].kind == sources]
        if given:
            return RootCause(trace.nodes[given[0]], given[0] in to_loss)
    for reached in (to_loss, to_any):
        if reached:
            first = _first_root(trace.nodes, reached)
            takers = [trace.nodes[i] for i in sorted(reached) if first in trace.nodes[i].origins]
            return RootCause(trace.nodes[first], reached is to_loss, tuple(takers))
    return None


def _ancestors(nodes: Sequence[Node], indices: Iterable[int]) -> set[int]:
    found: set[int] = set()
    waiting = list(indices)
    while waiting:
        index = waiting.pop()
        if index not in found:
            found.add(index)
            waiting += nodes[index].origins
    return found


def _first_root(nodes: Sequence[Node], reached: set[int]) -> int:
    """The first that took finite numbers, or infinities that the program means."""
    return min((i for i in reached if _is_root(nodes, i)), default=min(reached))


def _is_root(nodes: Sequence[Node], index: int) -> bool:
    node = nodes[index]
    return not node.is_deliberate and all(nodes[i].is_deliberate for i in node.origins)

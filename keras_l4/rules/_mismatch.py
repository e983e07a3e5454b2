"""Mismatch: one way in which output, loss and targets do not fit together."""

from __future__ import annotations

from dataclasses import dataclass

INF = float("inf")
PROBABILITIES = {"sigmoid", "hard_sigmoid", "softmax"}


@dataclass(frozen=True)
class Mismatch:
    """What does not fit.

    Attributes:
        kind: In one word.
        what: In a sentence.
        advice: What to do.
        needs: It is a warning where the skill is below this; Inf where it always is.
    """

    kind: str
    what: str
    advice: str
    needs: float = INF

"""The kinds of places on a loss surface."""

from typing import Literal

Kind = Literal[
    "minimum",
    "maximum",
    "saddle",
    "degenerate",
    "flat region",
    "noise-limited",
    "ravine",
    "descending",
]

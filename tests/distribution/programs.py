"""Collective operations in the train step that XLA compiles."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from unittest import mock

import jax
from keras.src.backend.jax import trainer

_COLLECTIVE = re.compile(
    r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)(?:-start)?\("
)


@dataclass
class Collectives:
    """The collective operations of a compiled step.

    Attributes:
        num_unconditional: Number of operations outside of branches.
        num_total: Number of all operations.
        moved_sizes: Number of elements of each array that is gathered or exchanged.
    """

    num_unconditional: int
    num_total: int
    moved_sizes: list[int]


def parse_collectives(program: str) -> Collectives:
    """Parses XLA's text, which has lines like `%name = f32[8,4]{1,0} all-gather(...)`."""
    moved = [m[1] for m in _COLLECTIVE.finditer(program) if m[2] != "all-reduce"]
    entry = program[program.index("ENTRY") :]
    sizes = [size for arrays in moved for size in _sizes(arrays)]
    num_unconditional, num_total = (len(_COLLECTIVE.findall(text)) for text in (entry, program))
    return Collectives(num_unconditional, num_total, sizes)


def _sizes(arrays: str) -> list[int]:
    shapes = re.findall(r"\[([\d,]*)\]", arrays)
    return [math.prod(int(n) for n in shape.split(",") if n) for shape in shapes]


@contextlib.contextmanager
def record_programs() -> Iterator[list[str]]:
    """Yields a list that receives XLA's text of the first train step that Keras runs in the context."""
    texts: list[str] = []

    def jit(step: Callable[..., Any], **options: Any) -> Callable[..., Any]:
        jitted = jax.jit(step, **options)

        def call(*arguments: Any) -> Any:
            if not texts:
                texts.append(jitted.lower(*arguments).compile().as_text())
            return jitted(*arguments)

        return call

    with mock.patch.object(trainer, "jit", jit):
        yield texts

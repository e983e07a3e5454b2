"""What XLA makes of the train step: which collectives are in it."""

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
    """Of a compiled step.

    Attributes:
        every_step: How many there are outside of branches.
        anywhere: How many there are in all.
        moved: Number of elements of each array that is gathered or exchanged anywhere.
    """

    every_step: int
    anywhere: int
    moved: list[int]


def collectives(program: str) -> Collectives:
    """Reads them from XLA's text, where a line is `%name = f32[8,4]{1,0} all-gather(...)`."""
    moved = [m[1] for m in _COLLECTIVE.finditer(program) if m[2] != "all-reduce"]
    entry = program[program.index("ENTRY") :]
    sizes = [size for arrays in moved for size in _sizes(arrays)]
    every_step, anywhere = (len(_COLLECTIVE.findall(text)) for text in (entry, program))
    return Collectives(every_step, anywhere, sizes)


def _sizes(arrays: str) -> list[int]:
    shapes = re.findall(r"\[([\d,]*)\]", arrays)
    return [math.prod(int(n) for n in shape.split(",") if n) for shape in shapes]


@contextlib.contextmanager
def compiled_steps() -> Iterator[list[str]]:
    """XLA's text of the train steps that Keras compiles meanwhile."""
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

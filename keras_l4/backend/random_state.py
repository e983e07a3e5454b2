"""What a look at the model must leave as it is beside the model's own variables."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager

import keras
import numpy as np


@contextlib.contextmanager
def same_random_state() -> Iterator[None]:
    """Random numbers drawn inside, and gradients that would be tracked, leave no trace."""
    python, numpy = random.getstate(), np.random.get_state()
    try:
        with _FRAMEWORKS[keras.backend.backend()]():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


def random_state() -> list[np.ndarray]:
    """What the next step draws from beside the seed generators of the model: torch's generators.

    Keras' Dropout draws from torch's own unless it was given a seed.
    """
    if keras.backend.backend() != "torch":
        return []
    import torch

    return [x.numpy() for x in (torch.get_rng_state(), *torch.cuda.get_rng_state_all())]


def set_random_state(state: Sequence[np.ndarray]) -> None:
    """Draws go on from there."""
    if not state:
        return
    import torch

    cpu, *others = map(torch.from_numpy, state)
    torch.set_rng_state(cpu)
    torch.cuda.set_rng_state_all(others[: torch.cuda.device_count()])


@contextlib.contextmanager
def _tensorflow() -> Iterator[None]:
    from tensorflow.python.eager import context

    # `tf.random` draws the seeds of eager operations from it, once a seed was set. It has no
    # public name.
    generator = getattr(context.context(), "_rng", random.Random())
    state = generator.getstate()
    try:
        yield
    finally:
        generator.setstate(state)


@contextlib.contextmanager
def _torch() -> Iterator[None]:
    import torch

    with torch.random.fork_rng(), torch.no_grad():
        yield


_FRAMEWORKS: dict[str, Callable[[], AbstractContextManager[None]]] = {
    "tensorflow": _tensorflow,
    "jax": contextlib.nullcontext,
    "torch": _torch,
}

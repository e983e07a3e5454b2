"""The arguments that all callbacks have in common, and their checks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from keras_l4.optimizers.instrument import check_optimizer
from keras_l4.records.block import By, StepBlock

Hook: TypeAlias = Callable[[StepBlock], object]
StrPath: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Options:
    """The common arguments of one callback.

    Attributes:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        every: Number of steps between two sampled steps.
        flush_every: Number of steps between two read-outs of the device; None means 64, or up to
            1024 for a small model.
        update_freq: Number of steps between two points of a scalar in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not recorded.
        by: Whether TensorBoard shows one scalar per `"layer"` or per `"variable"`.
        optimizer: Optimizer to record; None means `model.optimizer`.
        hooks: Callables that receive every `StepBlock`.
        histogram_freq: Number of epochs between two histograms of gradients and weights; 0 writes
            none.
        look_at_data: Whether findings may use a small sample of the arrays that `fit` was given,
            and the model's predictions for it.
        verbose: 0 prints nothing; errors and warnings are not affected.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is invalid.
    """

    log_dir: StrPath | None = None
    every: int = 10
    flush_every: int | None = None
    update_freq: int = 50
    include: str | None = None
    exclude: str | None = None
    by: By = "layer"
    optimizer: Any = None
    hooks: Sequence[Hook] = ()
    histogram_freq: int = 0
    look_at_data: bool = True
    verbose: int = 1

    def __post_init__(self) -> None:
        for name in ("every", "update_freq"):
            check_integer(name, getattr(self, name), minimum=1)
        if self.flush_every is not None:
            check_integer("flush_every", self.flush_every, minimum=1)
        check_integer("histogram_freq", self.histogram_freq, minimum=0)
        for name in ("include", "exclude"):
            _check_pattern(name, getattr(self, name))
        if self.by not in ("layer", "variable"):
            raise ValueError(f'by={self.by!r}: expected "layer" or "variable".')
        if self.optimizer is not None:
            check_optimizer(self.optimizer)
        if not isinstance(self.look_at_data, bool):
            raise TypeError(f"look_at_data={self.look_at_data!r}: expected True or False.")
        _check_hooks(self.hooks)
        if self.log_dir is not None:
            _check_log_dir(self.log_dir)


def check_integer(name: str, value: Any, minimum: int) -> None:
    """Raises a TypeError or ValueError unless `value` is an integer of at least `minimum`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: expected an integer of at least {minimum}.")
    if value < minimum:
        raise ValueError(f"{name}={value!r}: expected an integer of at least {minimum}.")


def _check_pattern(name: str, value: str | None) -> None:
    try:
        re.compile(value or "")
    except (re.error, TypeError) as error:
        raise ValueError(
            f"{name}={value!r}: expected a regular expression on variable paths, for instance "
            f'"dense/kernel" ({error}).'
        ) from error


def _check_hooks(hooks: Any) -> None:
    if not isinstance(hooks, Iterable):
        raise TypeError(f"hooks={hooks!r}: expected a list of callables, as in [print].")
    for hook in hooks:
        if not callable(hook):
            raise TypeError(f"hooks contains {hook!r}: expected callables that take a StepBlock.")


def _check_log_dir(log_dir: StrPath) -> None:
    """Checks that `log_dir` is a writable directory, or that it can be created.

    The directory itself may not exist yet; then its nearest existing parent decides.
    """
    if not isinstance(log_dir, (str, os.PathLike)):
        raise TypeError(
            f"log_dir is of type {type(log_dir).__name__}: expected a directory, as a string or a "
            "path."
        )
    path = Path(log_dir).absolute()
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"log_dir={os.fspath(log_dir)!r}: {nearest} is a file; expected a directory, or the "
            "name of one that can be created."
        )
    if not os.access(nearest, os.W_OK):
        raise PermissionError(
            f"log_dir={os.fspath(log_dir)!r}: {nearest} is not writable; choose a directory that is."
        )

"""The arguments that all callbacks have in common."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypedDict

from keras_l4.optimizers.instrument import check_optimizer
from keras_l4.records.block import By, StepBlock

Hook = Callable[[StepBlock], object]


class SharedArguments(TypedDict, total=False):
    """Keyword arguments that make sense for whatever records; `Options` says what they are."""

    flush_every: int | None
    update_freq: int
    include: str | None
    exclude: str | None
    by: By
    hooks: Sequence[Hook]
    verbose: int


class LoopArguments(SharedArguments, total=False):
    """Keyword arguments that make sense without `fit`, too; `Options` says what they are."""

    every: int


class FitArguments(SharedArguments, total=False):
    """Keyword arguments of callbacks; `Options` says what they are."""

    optimizer: Any
    histogram_freq: int
    look_at_data: bool


class CommonArguments(LoopArguments, FitArguments, total=False):
    """Keyword arguments of callbacks that look closely `every` so many steps."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What a callback was asked for.

    Attributes:
        log_dir: Event files go to `<log_dir>/diagnostics`; None writes none.
        every: Steps between two that are looked at closely.
        flush_every: Steps that are kept on the device before they are read; None for 64 or, of
            small models, up to 1024.
        update_freq: Steps between two scalars of the same tag in TensorBoard.
        include: Regular expression; only variables whose path it matches are recorded.
        exclude: Regular expression; variables whose path it matches are not.
        by: Scalars per `"layer"` or per `"variable"`.
        optimizer: The one to record; None means `model.optimizer`.
        hooks: Called with every `StepBlock`.
        histogram_freq: Epochs between two histograms of gradients and weights; 0 for none.
        look_at_data: Whether findings may rest on a small sample of what `fit` was given, where
            it is arrays, and on the model's answers to it.
        verbose: 0 is silent but for errors.

    Raises:
        TypeError, ValueError, NotADirectoryError, PermissionError: An argument is not as it
            should be; the message says which and how.
    """

    log_dir: str | os.PathLike[str] | None = None
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
            check_integer(name, getattr(self, name), least=1)
        if self.flush_every is not None:
            check_integer("flush_every", self.flush_every, least=1)
        check_integer("histogram_freq", self.histogram_freq, least=0)
        for name in ("include", "exclude"):
            _check_pattern(name, getattr(self, name))
        if self.by not in ("layer", "variable"):
            raise ValueError(f'by={self.by!r}: expected "layer" or "variable".')
        if self.optimizer is not None:
            check_optimizer(self.optimizer)
        if not isinstance(self.look_at_data, bool):
            raise TypeError(f"look_at_data={self.look_at_data!r}: expected True or False.")
        if not isinstance(self.hooks, Iterable):
            raise TypeError(f"hooks={self.hooks!r}: expected a list of callables, as in [print].")
        for hook in self.hooks:
            if not callable(hook):
                raise TypeError(f"hooks has {hook!r}: expected callables that take a StepBlock.")
        if self.log_dir is not None:
            _check_folder(self.log_dir)


def check_names(owner: str, given: Mapping[str, Any]) -> None:
    """Raises a TypeError where `owner` was given an argument that there is not."""
    known = [field.name for field in fields(Options)]
    for name in given:
        if name not in known:
            raise TypeError(f"{owner} has no argument {name!r}. Arguments of all: {known}.")


def check_integer(name: str, value: Any, least: int) -> None:
    """Raises a TypeError or ValueError unless `value` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}={value!r}: expected an integer of at least {least}.")
    if value < least:
        raise ValueError(f"{name}={value!r}: expected an integer of at least {least}.")


def _check_pattern(name: str, value: str | None) -> None:
    try:
        re.compile(value or "")
    except (re.error, TypeError) as error:
        raise ValueError(
            f"{name}={value!r}: expected a regular expression on variable paths, for instance "
            f'"dense/kernel" ({error}).'
        ) from error


def _check_folder(log_dir: str | os.PathLike[str]) -> None:
    """The nearest folder that exists must be one, and writable."""
    if not isinstance(log_dir, (str, os.PathLike)):
        raise TypeError(
            f"log_dir is of type {type(log_dir).__name__}: expected a folder, as a string or a path."
        )
    path = Path(log_dir).absolute()
    nearest = next(p for p in (path, *path.parents) if p.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(
            f"log_dir={os.fspath(log_dir)!r}: {nearest} is a file; expected a folder, or the name "
            "of one that can be made."
        )
    if not os.access(nearest, os.W_OK):
        raise PermissionError(
            f"log_dir={os.fspath(log_dir)!r}: {nearest} is not writable; choose a folder that is."
        )

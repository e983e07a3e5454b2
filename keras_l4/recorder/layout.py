"""Layout: which variables are recorded, and where each number stands in a row of the ring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_l4.quantities import EVERY_STEP, Derived, Folded, Measured, Quantity, registry
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.effective_rate import Rate
from keras_l4.records.block import Variable

CLOCK = ("learning_rate", "loss_scale")
INDEX = ("calls", "iterations", "looked", "skipped")
SAMPLE_SIZE = 4096
# Non-finite steps are found by them, whatever else is recorded.
ALWAYS = ("gradient_norm", "nan_count", "inf_count")


def describe(variables: Sequence[Any]) -> tuple[Variable, ...]:
    """Names the variables: by path, the second of the same path `path#2`, and so on."""
    seen: dict[str, int] = {}
    described = []
    for variable in variables:
        path = variable.path
        seen[path] = seen.get(path, 0) + 1
        unique = path if seen[path] == 1 else f"{path}#{seen[path]}"
        layer = path.rpartition("/")[0] or path
        dtype = keras.backend.standardize_dtype(variable.dtype)
        described.append(Variable(unique, layer, tuple(variable.shape), dtype))
    return tuple(described)


def selected(paths: Sequence[str], include: str | None, exclude: str | None) -> list[int]:
    """Positions of the paths that `include` matches somewhere and `exclude` does not."""
    wanted = re.compile(include or "")
    unwanted = re.compile(exclude or r"(?!)")
    return [i for i, p in enumerate(paths) if wanted.search(p) and not unwanted.search(p)]


def resolve(names: Sequence[str], rate: Rate) -> tuple[Quantity, ...]:
    """The quantities of these names (of all, if there is none) and those that they read."""
    known = registry()
    wanted = dict.fromkeys(names or known)
    for name in list(wanted):
        quantity = known[name]
        if isinstance(quantity, Derived):
            wanted.update(dict.fromkeys(quantity.reads))
    wanted.update(dict.fromkeys(ALWAYS))
    applies = (known[n] for n in known if n in wanted)
    return tuple(q for q in applies if rate.distributed or not q.of_distribution)


@dataclass(frozen=True)
class Layout:
    """Where things stand in the two rings: floats `[rows, width]`, integers likewise.

    A row of floats is `every` columns of `[variables]`, the clock, then `closer` columns; a row
    of integers is the index, then `counts` columns.

    `overwritten` names what is not recorded: variables that are set to what stands for their
    gradient, such as the scales of float8.
    """

    variables: tuple[Variable, ...]
    quantities: tuple[Quantity, ...]
    with_second_moments: bool
    with_gradients: bool
    overwritten: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, variables: Sequence[Any], rate: Rate, settings: RecorderConfig
    ) -> tuple[Layout, list[int]]:
        """The layout, and the positions in `variables` of those that are recorded."""
        described = describe(variables)
        paths = [v.path for v in described]
        overwritten = tuple(
            path for path, v in zip(paths, variables, strict=True) if v.overwrite_with_gradient
        )
        chosen = selected(paths, settings.include, settings.exclude)
        positions = [i for i in chosen if paths[i] not in overwritten]
        if not positions:
            raise ValueError(
                f"include={settings.include!r} and exclude={settings.exclude!r} leave no variable "
                f"to record. Choose among: {paths}."
            )
        recorded = tuple(described[i] for i in positions)
        quantities = resolve(settings.quantities, rate)
        adaptive, with_gradients = rate.adaptive, settings.gradient_samples
        return cls(recorded, quantities, adaptive, with_gradients, overwritten), positions

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.array([v.size for v in self.variables], dtype=np.int64)

    @cached_property
    def layer_index(self) -> np.ndarray:
        """Number of each variable's layer, in order of appearance, `int64[variables]`."""
        layers = list(dict.fromkeys(v.layer for v in self.variables))
        return np.array([layers.index(v.layer) for v in self.variables], dtype=np.int64)

    def _measured(self, dtype: str, every_step: bool) -> tuple[Measured, ...]:
        return tuple(
            q
            for q in self.quantities
            if isinstance(q, Measured)
            and q.dtype == dtype
            and (dtype == "int" or (q.when == EVERY_STEP) == every_step)
        )

    @cached_property
    def every(self) -> tuple[Measured, ...]:
        return self._measured("float", every_step=True)

    @cached_property
    def closer(self) -> tuple[Measured, ...]:
        return self._measured("float", every_step=False)

    @cached_property
    def counts(self) -> tuple[Measured, ...]:
        return self._measured("int", every_step=False)

    @property
    def reads_weights(self) -> bool:
        """Whether one of them may read the weights, or the update."""
        return any(q.reads_weights for q in self.quantities if isinstance(q, Measured))

    def folded(self, of_nonfinite: bool) -> list[Folded]:
        """Those that are folded over the elements."""
        folded = (q for q in self.quantities if isinstance(q, Folded))
        return [q for q in folded if q.of_nonfinite == of_nonfinite]

    @property
    def num_floats(self) -> int:
        return len(self.variables) * (len(self.every) + len(self.closer)) + len(CLOCK)

    @property
    def num_integers(self) -> int:
        return len(INDEX) + len(self.variables) * len(self.counts)

    @cached_property
    def strides(self) -> list[int]:
        """Strides that leave at least `SAMPLE_SIZE` elements, or all."""
        return [max(1, v.size // SAMPLE_SIZE) for v in self.variables]

    @cached_property
    def sample_sizes(self) -> np.ndarray:
        return np.array(
            [-(-v.size // s) for v, s in zip(self.variables, self.strides, strict=True)]
        )

    @property
    def num_samples(self) -> int:
        kinds = int(self.with_second_moments) + int(self.with_gradients)
        return max(1, kinds * int(self.sample_sizes.sum()))

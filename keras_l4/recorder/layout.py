"""Layout: which variables are recorded, and which column of a row holds which number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import keras
import numpy as np

from keras_l4.quantities import (
    EVERY_STEP,
    SAMPLED,
    DerivedQuantity,
    DeviceQuantity,
    Quantity,
    ReductionQuantity,
    registry,
)
from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.effective_rate import AdaptiveRate, EffectiveRate
from keras_l4.records.block import Variable

SCALARS = ("learning_rate", "loss_scale")
"""The float columns of a row that are not per variable."""
INTEGER_COLUMNS = ("calls", "iterations", "is_sampled", "skip_reason")
"""The integer columns of a row that are not per variable."""
SAMPLE_SIZE = 4096
# Steps that are not finite are found by these, whichever quantities the user asks for.
REQUIRED_QUANTITIES = ("gradient_norm", "nan_count", "inf_count")


def describe_variables(variables: Sequence[Any]) -> tuple[Variable, ...]:
    """Describes Keras variables. Names are unique: the second of the same path is `path#2`."""
    num_by_path: dict[str, int] = {}
    described = []
    for variable in variables:
        path = variable.path
        num_by_path[path] = num_by_path.get(path, 0) + 1
        unique = path if num_by_path[path] == 1 else f"{path}#{num_by_path[path]}"
        layer = path.rpartition("/")[0] or path
        dtype = keras.backend.standardize_dtype(variable.dtype)
        described.append(Variable(unique, layer, tuple(variable.shape), dtype))
    return tuple(described)


def select_positions(paths: Sequence[str], include: str | None, exclude: str | None) -> list[int]:
    """Returns the positions of the paths that `include` matches and `exclude` does not."""
    included = re.compile(include or "")
    excluded = re.compile(exclude or r"(?!)")
    return [i for i, p in enumerate(paths) if included.search(p) and not excluded.search(p)]


def resolve_quantities(names: Sequence[str], rate: EffectiveRate) -> tuple[Quantity, ...]:
    """Returns the quantities of these names (default: all), those they read, and the required ones.

    Quantities that do not apply to `rate` are left out.
    """
    wanted = set(names or registry) | set(REQUIRED_QUANTITIES)
    for name in list(wanted):
        quantity = registry[name]
        if isinstance(quantity, DerivedQuantity):
            wanted |= set(quantity.reads)
    quantities = (quantity for name, quantity in registry.items() if name in wanted)
    return tuple(
        quantity
        for quantity in quantities
        if rate.has_elementwise_rate or not quantity.requires_elementwise_rate
    )


@dataclass(frozen=True)
class Layout:
    """The columns of the ring buffers for floats, integers and samples.

    A row of floats is `per_step_quantities` of `[variables]` each, `SCALARS`, then
    `sampled_quantities`. A row of integers is `INTEGER_COLUMNS`, then `count_quantities`. A row of samples is
    a sample of each second moment, then of each gradient.

    Attributes:
        variables: The recorded variables.
        quantities: The recorded quantities.
        samples_second_moments: True if a row of samples has second moments.
        samples_gradients: True if a row of samples has gradients.
        overwritten_paths: Paths of the variables that are not recorded because Keras overwrites them
            with their "gradient", such as the scales of float8.
    """

    variables: tuple[Variable, ...]
    quantities: tuple[Quantity, ...]
    samples_second_moments: bool
    samples_gradients: bool
    overwritten_paths: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, variables: Sequence[Any], rate: EffectiveRate, config: RecorderConfig
    ) -> tuple[Layout, list[int]]:
        """Returns the layout, and the positions in `variables` of those that are recorded.

        Raises:
            ValueError: `include` and `exclude` leave no variable.
        """
        described = describe_variables(variables)
        paths = [v.path for v in described]
        overwritten = tuple(
            path for path, v in zip(paths, variables, strict=True) if v.overwrite_with_gradient
        )
        matching = select_positions(paths, config.include, config.exclude)
        positions = [i for i in matching if paths[i] not in overwritten]
        if not positions:
            raise ValueError(
                f"include={config.include!r} and exclude={config.exclude!r} leave no variable "
                f"to record. Choose among: {paths}."
            )
        layout = cls(
            variables=tuple(described[i] for i in positions),
            quantities=resolve_quantities(config.quantities, rate),
            samples_second_moments=isinstance(rate, AdaptiveRate),
            samples_gradients=config.sample_gradients,
            overwritten_paths=overwritten,
        )
        return layout, positions

    @cached_property
    def sizes(self) -> np.ndarray:
        """Number of elements of each variable, `int64[variables]`."""
        return np.array([v.size for v in self.variables], dtype=np.int64)

    @cached_property
    def layer_index(self) -> np.ndarray:
        """Number of each variable's layer, in order of appearance, `int64[variables]`."""
        layers = list(dict.fromkeys(v.layer for v in self.variables))
        return np.array([layers.index(v.layer) for v in self.variables], dtype=np.int64)

    @cached_property
    def per_step_quantities(self) -> tuple[DeviceQuantity, ...]:
        """The float quantities that are measured on every step."""
        floats = self._device_quantities("float")
        return tuple(quantity for quantity in floats if quantity.when == EVERY_STEP)

    @cached_property
    def sampled_quantities(self) -> tuple[DeviceQuantity, ...]:
        """The float quantities that are measured on sampled steps."""
        floats = self._device_quantities("float")
        return tuple(quantity for quantity in floats if quantity.when == SAMPLED)

    @cached_property
    def count_quantities(self) -> tuple[DeviceQuantity, ...]:
        """The integer quantities. All of them are measured on sampled steps."""
        return self._device_quantities("int")

    def _device_quantities(self, dtype: str) -> tuple[DeviceQuantity, ...]:
        device_quantities = (q for q in self.quantities if isinstance(q, DeviceQuantity))
        return tuple(q for q in device_quantities if q.dtype == dtype)

    @property
    def reads_weights(self) -> bool:
        """True if a quantity may read the weights or the update."""
        return any(q.reads_weights for q in self.quantities if isinstance(q, DeviceQuantity))

    def reductions(self, is_zero_when_finite: bool) -> list[ReductionQuantity]:
        """Returns the reductions for which `is_zero_when_finite` has this value."""
        reductions = (q for q in self.quantities if isinstance(q, ReductionQuantity))
        return [q for q in reductions if q.is_zero_when_finite == is_zero_when_finite]

    @property
    def float_width(self) -> int:
        """Number of columns in a row of floats."""
        num_quantities = len(self.per_step_quantities) + len(self.sampled_quantities)
        return len(self.variables) * num_quantities + len(SCALARS)

    @property
    def integer_width(self) -> int:
        """Number of columns in a row of integers."""
        return len(INTEGER_COLUMNS) + len(self.variables) * len(self.count_quantities)

    @cached_property
    def sample_strides(self) -> list[int]:
        """Strides that leave at least `SAMPLE_SIZE` elements of each variable, or all of them."""
        return [max(1, v.size // SAMPLE_SIZE) for v in self.variables]

    @cached_property
    def sample_sizes(self) -> np.ndarray:
        """Number of sampled elements of each variable, `int64[variables]`."""
        pairs = zip(self.variables, self.sample_strides, strict=True)
        return np.array([-(-v.size // stride) for v, stride in pairs])

    @property
    def num_sample_kinds(self) -> int:
        """How many of second moments and gradients are sampled."""
        return int(self.samples_second_moments) + int(self.samples_gradients)

    @property
    def sample_width(self) -> int:
        """Number of columns in a row of samples; 1 if there are none, since a buffer is not empty."""
        return max(1, self.num_sample_kinds * int(self.sample_sizes.sum()))

"""Base class of the panels, and what several of them need to answer a request."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeAlias, TypeVar

from tensorboard import errors

from keras_l4.dashboard.binning import Bins
from keras_l4.dashboard.parameters import MAX_SAFE_INTEGER, Parameters, quoted
from keras_l4.dashboard.run_index import RunIndex
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.events.run import Run
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice
from keras_l4.registry import Registry

Json: TypeAlias = Mapping[str, Any]

_A = TypeVar("_A", CurvatureMeasurement, SurfaceSlice)
_MAX_BINS = 4096
_DEFAULT_BINS = 1000


class Panel(abc.ABC):
    """Abstract base class: a panel answers one route of the plugin.

    Setting `name` in a subclass registers it. Names are unique.

    Attributes:
        name: The route.
    """

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        PANELS.register(cls)

    @abc.abstractmethod
    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        """Returns the content of the JSON response.

        Raises:
            errors.PublicError: A parameter is wrong, or the data it names does not exist.
        """


PANELS: Registry[Panel] = Registry("name")
"""All panels by name."""


@dataclass(frozen=True)
class StepRange:
    """The steps a request asks for, and the number of bins to divide them into.

    Attributes:
        first_step: First step, not before the first step of the run.
        last_step: Last step, not after the last step of the run.
        max_bins: Maximum number of bins.
        run_end: Last step of the run.
    """

    first_step: int
    last_step: int
    max_bins: int
    run_end: int

    @classmethod
    def from_request(cls, parameters: Parameters, run: Run) -> StepRange:
        """Returns the requested steps, clipped to those of `run`.

        Raises:
            errors.InvalidArgumentError: A parameter is wrong, or `last_step < first_step`.
        """
        first = parameters.integer("first_step", 0)
        last = parameters.integer("last_step", MAX_SAFE_INTEGER)
        if last < first:
            raise errors.InvalidArgumentError(
                f"first_step={first} and last_step={last}: expected first_step <= last_step."
            )
        start, end = int(run.steps[0]), int(run.steps[-1])
        max_bins = parameters.integer("bins", _DEFAULT_BINS, minimum=1, maximum=_MAX_BINS)
        return cls(min(max(first, start), end), max(min(last, end), start), max_bins, end)

    def bins(self, min_size: int = 1) -> Bins:
        """Returns bins of at least `min_size` steps that cover the range.

        The last bin may extend beyond `last_step`, but not beyond the end of the run.
        """
        bins = Bins.covering(self.first_step, self.last_step, self.max_bins, min_size)
        return replace(bins, last_step=min(bins.last_step, self.run_end))


def require_quantity(index: RunIndex, quantity: str) -> str:
    """Returns `quantity` if the run has it.

    Raises:
        errors.NotFoundError: The run does not have it.
    """
    # If the run cannot be read, reading it raises the error that says why.
    if quantity not in index.quantities and not index.problem:
        raise errors.NotFoundError(
            f"quantity={quoted(quantity)} was not recorded. Recorded: "
            f"{', '.join(sorted(index.quantities))}."
        )
    return quantity


def not_superseded(run: Run, annotation_class: type[_A]) -> list[_A]:
    """Returns the annotations of a class, without those at steps that a resumed run repeated."""
    steps = set(run.steps.tolist())
    return [a for a in run.annotations if isinstance(a, annotation_class) and a.step in steps]

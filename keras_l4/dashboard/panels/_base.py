"""Panel: answers one route."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, TypeVar

from tensorboard import errors

from keras_l4.dashboard.binning import Bins
from keras_l4.dashboard.listing import RunIndex
from keras_l4.dashboard.parameters import MOST, Parameters, short
from keras_l4.dashboard.source import RunRepository
from keras_l4.events.run import Run
from keras_l4.records.annotations import CurvatureMeasurement, SurfaceSlice

_N = TypeVar("_N", CurvatureMeasurement, SurfaceSlice)
_MOST_BINS = 4096
_registry: dict[str, Panel] = {}


class Panel(abc.ABC):
    """One route of the plugin.

    A concrete class sets `name`, and is registered by that; a second one of the same name is an
    error.

    Attributes:
        name: Of the route.
    """

    name: ClassVar[str]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.name in _registry:
            raise ValueError(
                f"{cls.__qualname__} wants the name {cls.name!r}, which "
                f"{type(_registry[cls.name]).__qualname__} has. Give it a name of its own."
            )
        _registry[cls.name] = cls()

    @abc.abstractmethod
    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        """What is sent as JSON.

        Raises:
            errors.PublicError: The request asks for what there is not.
        """


@dataclass(frozen=True)
class Window:
    """The steps that a request asks for, and into how many bins.

    Attributes:
        first_step: The first.
        last_step: The last.
        most_bins: Number of bins at most.
        end: Last step of the run.
    """

    first_step: int
    last_step: int
    most_bins: int
    end: int

    @classmethod
    def of(cls, ask: Parameters, run: Run) -> Window:
        """The part of it that the run has.

        Raises:
            errors.InvalidArgumentError: The parameters are wrong, or the last step comes first.
        """
        first, last = ask.whole("first_step", 0), ask.whole("last_step", MOST)
        if last < first:
            raise errors.InvalidArgumentError(
                f"first_step={first} and last_step={last}: expected the first not to be after "
                "the last."
            )
        start, end = int(run.steps[0]), int(run.steps[-1])
        most = ask.whole("bins", 1000, least=1, most=_MOST_BINS)
        return cls(min(max(first, start), end), max(min(last, end), start), most, end)

    def bins(self, least_size: int = 1) -> Bins:
        """Whole bins over the window, of `least_size` steps at least, up to the end of the run."""
        bins = Bins.over(self.first_step, self.last_step, self.most_bins, least_size)
        return replace(bins, last_step=min(bins.last_step, self.end))


def need(listing: RunIndex, quantity: str) -> str:
    """`quantity`, which the run has to have.

    Raises:
        errors.NotFoundError: It has not.
    """
    if quantity not in listing.quantities and not listing.problem:
        raise errors.NotFoundError(
            f"quantity={short(quantity)} was not recorded. Recorded: "
            f"{', '.join(sorted(listing.quantities))}."
        )
    return quantity


def standing(run: Run, kind: type[_N]) -> list[_N]:
    """Notes of a kind at steps that no resumed run did over again, in order."""
    steps = set(run.steps.tolist())
    return [note for note in run.notes if isinstance(note, kind) and note.step in steps]


def registry() -> dict[str, Panel]:
    """All panels by name."""
    return dict(_registry)

"""nonfinite: when which variable had a gradient with NaN or Inf, and what loss scaling did."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from keras_l4.dashboard.binning import Bins
from keras_l4.dashboard.packing import floats, packed
from keras_l4.dashboard.panels._base import Panel, Window
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository
from keras_l4.events.run import Run
from keras_l4.records.nonfinite import nonfinite_counts

_READS = ("nan_count", "inf_count", "gradient_norm")


class NonFinite(Panel):
    """The timeline of what was not finite: only variables that ever had it have a row."""

    name = "nonfinite"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        listing = source.listing(ask.text("run"))
        run = source.run(listing, _READS)
        seen = source.once(listing, self.name, lambda: sightings(run))
        return nonfinite(run, seen, Window.of(ask, run))


def sightings(run: Run) -> np.ndarray:
    """`float64[sightings, 5]`: step, variable, NaN, Inf, overflow.

    A variable is its position in `run.variables`; float64 holds integers up to 2⁵³.
    """
    return np.concatenate([np.empty((0, 5)), *_by_block(run)])


def _by_block(run: Run) -> Iterator[np.ndarray]:
    place = {variable.path: i for i, variable in enumerate(run.variables)}
    for block in run.blocks:
        counts = nonfinite_counts(block)
        if counts is not None:
            at = np.nonzero(counts.hits)
            places = np.array([place[variable.path] for variable in block.variables])
            columns = (counts.num_nan[at], counts.num_inf[at], counts.overflow[at])
            yield np.stack([block.steps[at[0]], places[at[1]], *columns], axis=1).astype(float)


def nonfinite(run: Run, seen: np.ndarray, window: Window) -> dict[str, Any]:
    """Sightings per variable and bin; skipped steps and the least loss scale per bin.

    `cells` has a row `[variable, bin, steps, NaN, Inf, overflows, first step]` for each variable
    and bin with a sighting: numbers of steps, of elements, and of steps at which each element was
    finite but the norm was not.
    """
    bins = window.bins()
    rows = bins.rows(run.steps)
    steps, scale = run.steps[rows], run.loss_scale[rows]
    places = np.unique(seen[:, 1]).astype(int)
    inside = bins.rows(seen[:, 0])
    return {
        "variables": [run.variables[place].path for place in places],
        "bins": bins.as_dict(),
        "cells": packed(_cells(seen[inside], places, bins)),
        "num_sightings": len(seen),
        "is_scaled": bool((run.loss_scale != 1).any()),
        "loss_scale": floats(bins.reduce(np.fmin, steps, scale)),
        "num_skipped": packed(bins.reduce(np.add, steps, run.skipped[rows].astype(np.int32))),
        "is_counted": {"nan_count", "inf_count"} <= set(run.quantities),
    }


def _cells(seen: np.ndarray, places: np.ndarray, bins: Bins) -> np.ndarray:
    """One row per variable and bin; `seen` is in order of steps."""
    rows = np.searchsorted(places, seen[:, 1])
    keys = rows * bins.number + bins.place(seen[:, 0])
    cells, first, cell, number = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    sums = [np.bincount(cell, column, len(cells)) for column in seen[:, 2:].T]
    return np.stack([*np.divmod(cells, bins.number), number, *sums, seen[first, 0]], axis=1)

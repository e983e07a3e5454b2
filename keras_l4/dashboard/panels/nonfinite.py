"""nonfinite: which variables had NaN or Inf gradients at which steps, and the loss scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_l4.dashboard.array_json import encode_array, encode_float32
from keras_l4.dashboard.binning import Bins
from keras_l4.dashboard.panel import Json, Panel, StepRange
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.events.run import Run
from keras_l4.records.nonfinite import nonfinite_counts

_COUNTS = ("nan_count", "inf_count")
# The norm tells Inf elements from a norm that overflowed.
_QUANTITIES = (*_COUNTS, "gradient_norm")


class NonFinitePanel(Panel):
    """The timeline of non-finite gradients; only variables with an occurrence have a row."""

    name = "nonfinite"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        index = repository.index(parameters.text("run"))
        run = repository.read(index, _QUANTITIES)
        found = repository.cached(index, self.name, lambda: occurrences(run))
        return nonfinite_json(run, found, StepRange.from_request(parameters, run))


def occurrences(run: Run) -> np.ndarray:
    """Returns `float64[occurrences, 5]`, in the order of steps.

    The columns are step, variable, number of NaN and of Inf elements, and 1 if only the norm
    overflowed. A variable is its position in `run.variables`. float64 is exact for integers up
    to 2⁵³.
    """
    return np.concatenate([np.empty((0, 5)), *_occurrences_by_block(run)])


def _occurrences_by_block(run: Run) -> Iterator[np.ndarray]:
    position = {variable.path: i for i, variable in enumerate(run.variables)}
    for block in run.blocks:
        counts = nonfinite_counts(block)
        if counts is not None:
            hits = np.nonzero(counts.is_nonfinite)
            positions = np.array([position[variable.path] for variable in block.variables])
            columns = (counts.num_nan[hits], counts.num_inf[hits], counts.overflow[hits])
            steps, variables = block.steps[hits[0]], positions[hits[1]]
            yield np.stack([steps, variables, *columns], axis=1).astype(float)


def nonfinite_json(run: Run, found: np.ndarray, steps: StepRange) -> dict[str, Any]:
    """Returns occurrences per variable and bin, and the loss scale and skipped steps per bin.

    Args:
        run: The run.
        found: Its `occurrences`.
        steps: The steps to return. `variables` are those of the whole run, so that rows stay the
            same when the user zooms.
    """
    bins = steps.bins()
    rows = bins.rows_within(run.steps)
    in_bins, scale = run.steps[rows], run.loss_scale[rows]
    variables = np.unique(found[:, 1]).astype(int)
    return {
        "variables": [run.variables[variable].path for variable in variables],
        "bins": bins.as_dict(),
        "cells": encode_array(_cells(found[bins.rows_within(found[:, 0])], variables, bins)),
        "num_occurrences": len(found),
        "is_scaled": bool((run.loss_scale != 1).any()),
        "loss_scale": encode_float32(bins.reduce(np.fmin, in_bins, scale)),
        "num_skipped": encode_array(
            bins.reduce(np.add, in_bins, run.skipped[rows].astype(np.int32))
        ),
        "is_counted": set(_COUNTS) <= set(run.quantities),
    }


def _cells(found: np.ndarray, variables: np.ndarray, bins: Bins) -> np.ndarray:
    """Returns a row per variable and bin with an occurrence.

    The columns are variable (its row in the panel), bin, steps, NaN, Inf, overflows, first step.
    """
    rows = np.searchsorted(variables, found[:, 1])
    keys = rows * bins.count + bins.index_of(found[:, 0])
    # `found` is in the order of steps, so the first row of a key has its first step.
    cells, first, cell, num_steps = np.unique(
        keys, return_index=True, return_inverse=True, return_counts=True
    )
    sums = [np.bincount(cell, column, len(cells)) for column in found[:, 2:].T]
    return np.stack([*np.divmod(cells, bins.count), num_steps, *sums, found[first, 0]], axis=1)

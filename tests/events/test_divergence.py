from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_l4.events.divergence import Difference, Divergence, find_divergence
from keras_l4.events.run import Run
from tests.rules.records import block

pytestmark = pytest.mark.any_backend


def make_run(*changes: tuple[int, int, float]) -> Run:
    """`changes`: (row, variable, factor by which the gradient norm is multiplied)."""
    made = block()
    gradients = made.values["gradient_norm"].copy()
    for row, column, factor in changes:
        gradients[row, column] *= factor
    return Run((replace(made, values={**made.values, "gradient_norm": gradients}),))


def diverge(one: Run, other: Run) -> Any:
    return find_divergence(one, other, "gradient_norm")


def test_equal_runs_do_not_diverge() -> None:
    found = diverge(make_run(), make_run())
    assert found == Divergence(3, 200, None, None)


def test_first_difference_and_first_significant_difference_are_found() -> None:
    norm = float(np.sqrt(2) * 0.1)
    found = diverge(make_run(), make_run((4, 2, 1.001), (9, 4, 3.0)))
    assert (found.first_difference.layer, found.first_difference.step) == ("dense_1", 5)
    other = float(np.hypot(0.3, 0.1))
    assert found.first_significant_difference == Difference(
        "dense_2", 10, pytest.approx(norm), pytest.approx(other)
    )


def test_nan_differs_significantly_from_a_number_but_not_from_nan() -> None:
    with_nan = make_run((7, 0, np.nan))
    assert diverge(make_run(), with_nan).first_significant_difference.step == 8
    assert diverge(with_nan, with_nan).first_difference is None


def rename_layers(run: Run, names: dict[str, str], width: int | None = None) -> Run:
    """Returns the run with other layer names and, if given, another width of all variables."""
    (made,) = run.blocks
    variables = tuple(
        replace(v, path=f"{names[v.layer]}/{v.path.rpartition('/')[2]}", layer=names[v.layer])
        if width is None
        else replace(v, layer=names[v.layer], shape=(width,))
        for v in made.variables
    )
    return Run((replace(made, variables=variables),))


# Keras numbers the layers of a second model in the same process like this.
SECOND_MODEL = {"dense_0": "dense_1", "dense_1": "dense_2", "dense_2": "dense_3"}


def test_layers_with_other_names_and_equal_shapes_are_paired_by_order() -> None:
    changed = make_run((4, 2, 1.001), (9, 4, 3.0))
    found = diverge(make_run(), rename_layers(changed, SECOND_MODEL))
    assert found.num_layers == 3
    assert found.first_difference.layer == "dense_1"
    assert found.first_significant_difference.layer == "dense_2"
    assert diverge(make_run(), rename_layers(make_run(), SECOND_MODEL)).first_difference is None


def test_layers_with_other_shapes_are_paired_by_name() -> None:
    assert diverge(make_run(), rename_layers(make_run(), SECOND_MODEL, width=3)).num_layers == 2


def test_runs_without_common_steps_have_no_divergence() -> None:
    run = make_run()
    late = replace(run.blocks[0], steps=run.blocks[0].steps + 1000)
    assert diverge(run, Run((late,))) is None

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from keras_l4.events.parting import Place, parting
from keras_l4.events.run import Run
from tests.rules.records import block


def run(*changes: tuple[int, int, float], **options: object) -> Run:
    """`changes`: (row, variable, factor)."""
    made = block(**options)
    gradients = made.values["gradient_norm"].copy()
    for row, column, factor in changes:
        gradients[row, column] *= factor
    return Run((replace(made, values={**made.values, "gradient_norm": gradients}),))


def test_equal_runs_part_nowhere() -> None:
    found = parting(run(), run(), "gradient_norm")
    assert (found.num_layers, found.num_steps, found.at_all, found.clearly) == (3, 200, None, None)


def test_first_place_at_all_and_clearly() -> None:
    norm = float(np.sqrt(2) * 0.1)
    found = parting(run(), run((4, 2, 1.001), (9, 4, 3.0)), "gradient_norm")
    assert (found.at_all.layer, found.at_all.step) == ("dense_1", 5)
    other = float(np.hypot(0.3, 0.1))
    assert found.clearly == Place("dense_2", 10, pytest.approx(norm), pytest.approx(other))


def test_nan_in_one_run_is_clearly_a_difference_and_in_both_is_none() -> None:
    spoiled = run((7, 0, np.nan))
    assert parting(run(), spoiled, "gradient_norm").clearly.step == 8
    assert parting(spoiled, spoiled, "gradient_norm").at_all is None


def named(run: Run, names: dict[str, str], width: int | None = None) -> Run:
    """The same run of layers with other names, and of another width."""
    (made,) = run.blocks
    variables = tuple(
        replace(v, path=f"{names[v.layer]}/{v.path.rpartition('/')[2]}", layer=names[v.layer])
        if width is None
        else replace(v, layer=names[v.layer], shape=(width,))
        for v in made.variables
    )
    return Run((replace(made, variables=variables),))


# A second model of the same process.
LATER = {"dense_0": "dense_1", "dense_1": "dense_2", "dense_2": "dense_3"}


def test_layers_with_other_numbers_are_paired_in_order() -> None:
    changed = run((4, 2, 1.001), (9, 4, 3.0))
    found = parting(run(), named(changed, LATER), "gradient_norm")
    assert (found.num_layers, found.at_all.layer, found.clearly.layer) == (3, "dense_1", "dense_2")
    assert parting(run(), named(run(), LATER), "gradient_norm").at_all is None


def test_layers_of_other_shapes_are_paired_by_name() -> None:
    assert parting(run(), named(run(), LATER, width=3), "gradient_norm").num_layers == 2


def test_nothing_in_common() -> None:
    other = run()
    late = replace(other.blocks[0], steps=other.blocks[0].steps + 1000)
    assert parting(other, Run((late,)), "gradient_norm") is None

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from keras_l4.records import history
from keras_l4.records.history import History, record_of
from keras_l4.records.selection import chain, select
from tests.rules.records import block, facts, response

pytestmark = pytest.mark.any_backend


def pieces(whole: Any, *ends: int) -> list[Any]:
    number = np.arange(len(whole))
    edges = [0, *ends, len(whole)]
    pairs = itertools.pairwise(edges)
    return [select(whole, (number >= begin) & (number < end)) for begin, end in pairs]


def sampled(num_steps: int) -> Any:
    """Every tenth step is looked at."""
    whole = block(num_steps=num_steps, gradient=np.linspace(1, 2, num_steps)[:, None])
    looks = np.arange(num_steps) % 10 == 0
    names = {"weight_norm", "update_ratio", "update_norm"}
    values = {k: v[looks] if k in names else v for k, v in whole.values.items()}
    return replace(whole, sampled=looks, values=values, sampled_quantities=frozenset(names))


def assert_same(one: Any, other: Any) -> None:
    np.testing.assert_array_equal(one.block.steps, other.block.steps)
    np.testing.assert_array_equal(one.batch_loss, other.batch_loss)
    for name, values in one.block.values.items():
        np.testing.assert_array_equal(values, other.block.values[name])


def test_cut_and_put_together() -> None:
    whole = sampled(100)
    again = chain(pieces(whole, 7, 8, 63))
    np.testing.assert_array_equal(again.steps, whole.steps)
    for name, values in whole.values.items():
        np.testing.assert_array_equal(again.values[name], values)


@pytest.mark.parametrize("ends", [(), (1, 2, 3), (64, 128, 5000), (4999, 9000)])
def test_the_record_does_not_depend_on_the_blocks(ends: tuple[int, ...]) -> None:
    whole = sampled(10_000)
    once = record_of([whole])
    cut = record_of(pieces(whole, *ends))
    assert_same(once, cut)
    assert once.num_steps == cut.num_steps == 10_000


def test_memory_is_bounded_and_spread_over_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = sampled(20_000)
    memory = History()
    for piece in pieces(whole, *range(64, 20_000, 64)):
        memory.add(piece)
    record = memory.record()
    assert record is not None
    assert len(record.block) < 8000
    gaps = np.diff(record.block.steps)
    assert record.block.steps[0] == 1
    assert gaps.max() <= 8
    assert record.block.steps[-1] > 19_990
    assert len(record.block.values["weight_norm"]) >= 500


def test_means_over_the_epoch_become_losses_of_batches() -> None:
    losses = np.random.default_rng(0).random(60)
    record = record_of(pieces(block(num_steps=60, loss=losses), 13, 14))
    np.testing.assert_allclose(record.batch_loss, losses, rtol=1e-9)


def test_a_loss_that_is_shown_now_and_then_is_that_of_the_batches_since() -> None:
    losses = np.arange(20.0)
    whole = block(num_steps=20, loss=losses)
    shown = np.where(np.arange(20) % 5 == 4, whole.loss, np.nan)
    record = record_of([replace(whole, loss=shown)])
    means = losses.reshape(4, 5).mean(axis=1)
    np.testing.assert_allclose(record.batch_loss[4::5], means)
    assert np.isnan(record.batch_loss).sum() == 16


def test_numbers_are_as_the_event_file_has_them() -> None:
    values = record_of([block(gradient=1 / 3)]).block.values["gradient_norm"]
    assert values.dtype == np.float32


def test_a_fit_that_goes_on_is_the_same_run_and_a_new_model_is_another() -> None:
    first, second = pieces(block(), 100)
    more = replace(facts(), step=101, iterations=100)
    goes_on = record_of([facts(), response(0, 0.3), first, more, second])
    assert (goes_on.num_steps, len(goes_on.responses)) == (200, 1)
    assert goes_on.facts is not None
    assert goes_on.facts.iterations == 0
    anew = record_of([facts(), response(0, 0.3), first, replace(facts(), step=101), second])
    assert (anew.num_steps, len(anew.responses)) == (100, 0)


def test_events_are_kept_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_MOST_EVENTS", 5)
    record = record_of(pieces(block(gradient=np.nan), 3))
    assert [event.step for event in record.events] == [1] * 5


def test_nothing_recorded_is_said() -> None:
    with pytest.raises(ValueError, match="no block"):
        record_of([facts()])

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from keras_l4.records import history
from keras_l4.records.block import StepBlock
from keras_l4.records.history import History, Record, build_record
from keras_l4.records.selection import select_steps
from tests.records.blocks import assert_equal
from tests.rules.records import block, model_metadata, probe_result

pytestmark = pytest.mark.any_backend


def split(whole: StepBlock, *ends: int) -> list[StepBlock]:
    number = np.arange(len(whole))
    pairs = itertools.pairwise([0, *ends, len(whole)])
    return [select_steps(whole, (number >= begin) & (number < end)) for begin, end in pairs]


def sample_every_tenth(num_steps: int) -> StepBlock:
    whole = block(num_steps=num_steps, gradient=np.linspace(1, 2, num_steps)[:, None])
    sampled = np.arange(num_steps) % 10 == 0
    names = {"weight_norm", "update_ratio", "update_norm"}
    values = {k: v[sampled] if k in names else v for k, v in whole.values.items()}
    return replace(whole, sampled=sampled, values=values, sampled_quantities=frozenset(names))


def assert_equal_records(one: Record, other: Record) -> None:
    np.testing.assert_array_equal(one.batch_loss, other.batch_loss)
    assert_equal(one.block, other.block)


@pytest.mark.parametrize("ends", [(), (1, 2, 3), (64, 128, 5000), (4999, 9000)])
def test_record_does_not_depend_on_the_division_into_blocks(ends: tuple[int, ...]) -> None:
    whole = sample_every_tenth(10_000)
    from_one_block = build_record([whole])
    from_parts = build_record(split(whole, *ends))
    assert_equal_records(from_one_block, from_parts)
    assert from_one_block.num_steps == from_parts.num_steps == 10_000


def test_retained_steps_are_bounded_and_spread_over_the_run() -> None:
    whole = sample_every_tenth(20_000)
    history_of_run = History()
    for part in split(whole, *range(64, 20_000, 64)):
        history_of_run.add(part)
    record = history_of_run.record()
    assert record is not None
    assert len(record.block) < 8000
    gaps = np.diff(record.block.steps)
    assert record.block.steps[0] == 1
    assert gaps.max() <= 8
    assert record.block.steps[-1] > 19_990
    assert len(record.block.values["weight_norm"]) >= 500


def test_batch_losses_are_computed_from_means_over_the_epoch() -> None:
    losses = np.random.default_rng(0).random(60)
    record = build_record(split(block(num_steps=60, loss=losses), 13, 14))
    np.testing.assert_allclose(record.batch_loss, losses, rtol=1e-9)


def test_batch_loss_after_steps_without_loss_is_their_mean() -> None:
    losses = np.arange(20.0)
    whole = block(num_steps=20, loss=losses)
    read_losses = np.where(np.arange(20) % 5 == 4, whole.loss, np.nan)
    record = build_record([replace(whole, loss=read_losses)])
    means = losses.reshape(4, 5).mean(axis=1)
    np.testing.assert_allclose(record.batch_loss[4::5], means)
    assert np.isnan(record.batch_loss).sum() == 16


def test_values_are_rounded_to_float32_like_in_event_files() -> None:
    values = build_record([block(gradient=1 / 3)]).block.values["gradient_norm"]
    assert values.dtype == np.float32


def test_continued_fit_extends_the_run_and_new_model_starts_another() -> None:
    first, second = split(block(), 100)
    continued = replace(model_metadata(), step=101, iterations=100)
    record = build_record([model_metadata(), probe_result(0, 0.3), first, continued, second])
    assert (record.num_steps, len(record.probes)) == (200, 1)
    assert record.metadata is not None
    assert record.metadata.iterations == 0
    restarted = build_record(
        [model_metadata(), probe_result(0, 0.3), first, replace(model_metadata(), step=101), second]
    )
    assert (restarted.num_steps, len(restarted.probes)) == (100, 0)


def test_number_of_events_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "_MAX_EVENTS", 5)
    record = build_record(split(block(gradient=np.nan), 3))
    assert [event.step for event in record.events] == [1] * 5


def test_run_without_blocks_is_an_error() -> None:
    with pytest.raises(ValueError, match="no block"):
        build_record([model_metadata()])

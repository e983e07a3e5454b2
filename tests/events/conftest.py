"""Fixtures that make blocks and compare them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keras_l4.records.block import StepBlock
from tests.records import blocks


@pytest.fixture(scope="session")
def make_block() -> Callable[..., StepBlock]:
    return blocks.make_block


@pytest.fixture(scope="session")
def assert_equal() -> Callable[[StepBlock, StepBlock], None]:
    return blocks.assert_equal

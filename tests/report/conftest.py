from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_l4.events import BlockWriter
from tests.rules.records import (
    CONSTANT_ACCURACY,
    NUM_STEPS,
    block,
    epochs,
    model_metadata,
    probe_result,
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Returns a function that writes a run to a log directory and returns its path."""

    def written(name: str, accuracy: float = 0.9, metadata: Any = None, **values: Any) -> Path:
        writer = BlockWriter(tmp_path / name / "diagnostics")
        writer.write_annotation(model_metadata() if metadata is None else metadata)
        writer.write_annotation(probe_result(0, CONSTANT_ACCURACY))
        writer.write(block(**values))
        for logs in epochs(np.linspace(CONSTANT_ACCURACY, accuracy, NUM_STEPS // 10)):
            writer.write_annotation(logs)
        writer.write_annotation(probe_result(NUM_STEPS, accuracy))
        writer.close()
        return tmp_path / name

    return written

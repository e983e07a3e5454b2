from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from keras_l4.events import BlockWriter
from tests.rules.records import LOST, NUM_STEPS, block, epochs, facts, response

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a run that ends with this accuracy; returns its log directory."""

    def written(name: str, accuracy: float = 0.9, known: Any = None, **values: Any) -> Path:
        writer = BlockWriter(tmp_path / name / "diagnostics")
        writer.write_note(facts() if known is None else known)
        writer.write_note(response(0, LOST))
        writer.write(block(**values))
        for logs in epochs(np.linspace(LOST, accuracy, NUM_STEPS // 10)):
            writer.write_note(logs)
        writer.write_note(response(NUM_STEPS, accuracy))
        writer.close()
        return tmp_path / name

    return written

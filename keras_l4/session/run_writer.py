"""Filing: what a session writes, and that no other session writes to the same folder."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from keras_l4 import backend
from keras_l4.events import BlockWriter, last_step
from keras_l4.quantities import registry
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.session.circuit_breaker import CircuitBreaker
from keras_l4.session.config import SessionConfig

WRITING = "writing event files"
_writing: WeakValueDictionary[Path, RunWriter] = WeakValueDictionary()


class RunWriter:
    """Writes the event files of a session, if it is asked for any and as long as it can.

    Args:
        plan: What was asked for.
        optimizer: The optimizer that is recorded.
        fuse: Runs what may fail.

    Raises:
        ValueError: Another session writes there.
    """

    def __init__(self, plan: SessionConfig, optimizer: Any, fuse: CircuitBreaker) -> None:
        self.is_open = True
        self.previous_step = 0
        self._plan, self._optimizer, self._fuse = plan, optimizer, fuse
        self._claim(plan.run_dir)
        self._writer: BlockWriter | None = fuse.attempt(WRITING, self._open)

    def _claim(self, folder: Path | None) -> None:
        """TensorBoard stops reading the older of two files that are written side by side."""
        if folder is None:
            return
        other = _writing.get(folder)
        if other is not None and other.is_open and other._optimizer is not self._optimizer:
            raise ValueError(
                f"{folder} is being written for another optimizer. Give the optimizers different "
                "names, or their callbacks different log_dirs."
            )
        _writing[folder] = self

    def _open(self) -> BlockWriter | None:
        plan = self._plan
        if plan.run_dir is None:
            return None
        self.previous_step = last_step(plan.run_dir)
        if not backend.distribution.is_first_process():
            return None
        units = {name: quantity.unit for name, quantity in registry().items()}
        return BlockWriter(plan.run_dir, update_freq=plan.update_freq, by=plan.by, units=units)

    def write(self, block: StepBlock) -> None:
        """Appends a block."""
        if self._writer is not None:
            self._fuse.attempt(WRITING, functools.partial(self._writer.write, block))

    def write_note(self, note: Annotation) -> None:
        """Appends a note."""
        if self._writer is not None:
            self._fuse.attempt(WRITING, functools.partial(self._writer.write_note, note))

    def write_histograms(self, step: int, histograms: Mapping[str, np.ndarray]) -> None:
        """Appends histograms; may raise."""
        if self._writer is not None:
            self._writer.write_histograms(step, histograms)

    def write_findings(self, markdown: str) -> None:
        """Appends what was found, if anything was said."""
        if self._writer is not None and markdown:
            self._fuse.attempt(WRITING, functools.partial(self._writer.write_findings, markdown))

    def close(self) -> None:
        """Closes the file, also one that failed: it is still open."""
        self.is_open = False
        if self._writer is not None:
            self._fuse.finish(WRITING, self._writer.close)

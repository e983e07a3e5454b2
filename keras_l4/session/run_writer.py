"""RunWriter: writes the event file of a session, and keeps other sessions out of its directory."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np

from keras_l4 import backend
from keras_l4.circuit_breaker import CircuitBreaker
from keras_l4.events import BlockWriter, last_step
from keras_l4.quantities import registry
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from keras_l4.session.config import SessionConfig

WRITING = "writing event files"
_writers: WeakValueDictionary[Path, RunWriter] = WeakValueDictionary()


class RunWriter:
    """Writes the event file of a session that has a directory.

    After a failure to write a block, an annotation or the findings, none of them is written any
    more. Histograms are separate: `write_histograms` raises, and its caller handles the exception.

    Attributes:
        previous_step: Last step in the directory before this session; 0 if there is none.

    Args:
        config: Settings of the session.
        optimizer: The optimizer that is recorded.
        breaker: Runs the parts that may fail.

    Raises:
        ValueError: Another session writes to the same directory.
    """

    def __init__(self, config: SessionConfig, optimizer: Any, breaker: CircuitBreaker) -> None:
        self.previous_step = 0
        self._is_open = True
        self._config, self._optimizer, self._breaker = config, optimizer, breaker
        if config.run_dir is not None:
            self._claim(config.run_dir)
        self._writer: BlockWriter | None = breaker.call(WRITING, self._open)

    def _claim(self, run_dir: Path) -> None:
        """Reserves the directory: TensorBoard reads only the newer of two growing files."""
        other = _writers.get(run_dir)
        if other is not None and other._is_open and other._optimizer is not self._optimizer:
            raise ValueError(
                f"{run_dir} is being written for another optimizer. Give the optimizers different "
                "names, or their callbacks different log_dirs."
            )
        _writers[run_dir] = self

    def _open(self) -> BlockWriter | None:
        config = self._config
        if config.run_dir is None:
            return None
        self.previous_step = last_step(config.run_dir)
        if not backend.distribution.is_first_process():
            return None
        units = {name: quantity.unit for name, quantity in registry.items()}
        return BlockWriter(
            config.run_dir, update_freq=config.update_freq, by=config.by, units=units
        )

    def write(self, block: StepBlock) -> None:
        """Appends a block."""
        if self._writer is not None:
            self._breaker.call(WRITING, functools.partial(self._writer.write, block))

    def write_annotation(self, annotation: Annotation) -> None:
        """Appends an annotation."""
        if self._writer is not None:
            write = functools.partial(self._writer.write_annotation, annotation)
            self._breaker.call(WRITING, write)

    def write_histograms(self, step: int, histograms: Mapping[str, np.ndarray]) -> None:
        """Appends histograms. Raises if writing fails, unlike the other methods."""
        if self._writer is not None:
            self._writer.write_histograms(step, histograms)

    def write_findings(self, markdown: str) -> None:
        """Appends the findings, unless they are empty."""
        if self._writer is not None and markdown:
            self._breaker.call(WRITING, functools.partial(self._writer.write_findings, markdown))

    def close(self) -> None:
        """Closes the file, even if writing to it has failed."""
        self._is_open = False
        if self._writer is not None:
            self._breaker.always_call(WRITING, self._writer.close)

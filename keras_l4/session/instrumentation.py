"""Switch: how a session turns recording on and off; `Trace` in `fit`, `Loop` without."""

from __future__ import annotations

from typing import Any, Protocol

from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.recorder import Recorder


class Instrumentation(Protocol):
    """Makes an optimizer record, and has it back as it was."""

    def start(self, optimizer: Any, settings: RecorderConfig) -> None:
        """From now on `optimizer` records."""

    def stop(self, optimizer: Any) -> None:
        """`optimizer` is as it was."""

    def recorder(self, optimizer: Any) -> Recorder | None:
        """That of `optimizer`, once it records and knows its variables."""

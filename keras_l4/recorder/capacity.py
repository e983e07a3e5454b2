"""Capacity: how many steps the ring buffers hold until the host reads them."""

from __future__ import annotations

from dataclasses import dataclass

from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.layout import Layout

BYTES_PER_BUFFER = 2**19
"""Memory budget of the rows, and of the samples.

A buffer exceeds this size if the minimum number of rows needs more.
"""
MIN_FLUSH_EVERY, MAX_FLUSH_EVERY = 64, 1024


@dataclass(frozen=True)
class RingCapacity:
    """Sizes of the ring buffers.

    A read costs about the same for many rows as for few, so that buffers of small models hold more
    rows and are read less often.

    Attributes:
        flush_every: Steps between two reads.
        rows: Number of steps in the row buffers.
        samples: Number of sampled steps in the sample buffer.
    """

    flush_every: int
    rows: int
    samples: int

    @classmethod
    def for_layout(cls, layout: Layout, config: RecorderConfig) -> RingCapacity:
        """Chooses the capacity for rows of this layout."""
        # Integers take eight bytes on TensorFlow, four elsewhere.
        bytes_per_row = 4 * layout.float_width + 8 * layout.integer_width
        fitting = BYTES_PER_BUFFER // bytes_per_row
        flush_every = config.flush_every or min(max(fitting, MIN_FLUSH_EVERY), MAX_FLUSH_EVERY)
        # Reads happen between executions, and a read becomes due within one. Hence there is room
        # for two executions beyond `flush_every`.
        rows = flush_every + 2 * config.steps_per_execution
        per_execution, per_buffer = (
            -(-num_steps // config.every) for num_steps in (config.steps_per_execution, rows)
        )
        samples = max(per_execution, min(per_buffer, BYTES_PER_BUFFER // (4 * layout.sample_width)))
        return cls(flush_every, rows, samples)

"""Room: how many steps the rings hold until the host reads them."""

from __future__ import annotations

from dataclasses import dataclass

from keras_l4.recorder.config import RecorderConfig
from keras_l4.recorder.layout import Layout

BYTES = 2**19
"""What the rows may take, and the samples again, where there need not be so many of them."""


_FEWEST, _MOST = 64, 1024


@dataclass(frozen=True)
class RingCapacity:
    """How many steps the rings hold.

    To read costs the same for many steps as for few: of a small model they hold more.

    Attributes:
        flush_every: Steps between two read-outs.
        rows: Steps of which they hold a row.
        samples: Closely looked at steps of which they hold samples.
    """

    flush_every: int
    rows: int
    samples: int

    @classmethod
    def of(cls, layout: Layout, settings: RecorderConfig) -> RingCapacity:
        """The room for rows of this layout."""
        # TensorFlow's integers take eight bytes.
        fitting = BYTES // (4 * layout.num_floats + 8 * layout.num_integers)
        flush_every = settings.flush_every or min(max(fitting, _FEWEST), _MOST)
        rows = flush_every + 2 * settings.steps_per_execution
        at_once, all_looks = (-(-n // settings.every) for n in (settings.steps_per_execution, rows))
        samples = max(at_once, min(all_looks, BYTES // (4 * layout.num_samples)))
        return cls(flush_every, rows, samples)

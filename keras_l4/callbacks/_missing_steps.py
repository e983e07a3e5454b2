"""What is said of steps that are not in the record."""

from __future__ import annotations

from keras_l4.callbacks._fuse import warn
from keras_l4.recorder.reader import Chunk


def tell_of_lost_steps(chunk: Chunk) -> None:
    """Warns that some were overwritten."""
    warn(
        f"{chunk.num_lost} steps before row {chunk.first} were overwritten before they were read: "
        "the optimizer was called more often than once a batch. Set flush_every to the number of "
        "steps between two batches that callbacks see, or call step() after each step of a loop "
        "of your own."
    )


def tell_of_no_step(optimizer: str) -> None:
    """Warns that there was none."""
    warn(
        f"the optimizer {optimizer!r} took no step in this fit, so that nothing was recorded. Is it "
        "one that the model is trained with?"
    )

"""What is said of steps that are not in the record, or stand where nobody looks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from keras_l4.recorder.layout import Layout
from keras_l4.recorder.reader import RingSlice
from keras_l4.records.block import StepBlock
from keras_l4.session.circuit_breaker import warn

if TYPE_CHECKING:
    from keras_l4.callbacks.base import RecordingCallback


def tell_of_lost_steps(chunk: RingSlice) -> None:
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


def tell_of_overwritten(layout: Layout, say: Callable[[str], None]) -> None:
    """Says which variables are left out, if any are."""
    if layout.overwritten:
        say(
            f"not recorded: {', '.join(layout.overwritten)}. They are set to what stands for their "
            "gradient."
        )


def tell_of_earlier_run(block: StepBlock, previous: int, say: Callable[[str], None]) -> None:
    """Says, at the first steps of a new run, that another was recorded in the same place.

    Args:
        block: What is recorded now.
        previous: The last step that was recorded there before this `fit`.
        say: Prints a line.
    """
    if block.steps[0] == previous + 1 and block.iterations[0] == 0:
        say(
            f"the log_dir holds an earlier run. This one is recorded as steps {previous + 1} and on, "
            "and takes its place. A log_dir for each run keeps both."
        )


def last_words(members: Sequence[RecordingCallback]) -> str:
    """Their last words, in Markdown.

    Whatever the order of the callbacks, all findings are heard before what they ask for is
    measured, and that is measured before anything is said.
    """
    for member in members:
        member.judge()
    for member in members:
        member.answer()
    return "\n\n".join(filter(None, [member.end_training() for member in members]))

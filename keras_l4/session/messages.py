"""Messages about steps and variables that the record does not contain."""

from __future__ import annotations

from collections.abc import Callable

from keras_l4.circuit_breaker import warn
from keras_l4.recorder.layout import Layout
from keras_l4.recorder.reader import RingSlice
from keras_l4.records.block import StepBlock


def warn_lost_steps(rows: RingSlice) -> None:
    """Warns that steps were overwritten before they were read."""
    warn(
        f"{rows.num_lost_rows} steps before row {rows.first_row} were overwritten before they were "
        "read, because the optimizer was called more than once per batch. Set flush_every to the "
        "number of steps between two batches that callbacks see, or call step() after each step "
        "of a custom loop."
    )


def warn_no_step(optimizer: str) -> None:
    """Warns that an optimizer took no step in a whole `fit`."""
    warn(
        f"the optimizer {optimizer!r} took no step in this fit, so nothing was recorded. Pass the "
        "optimizer that trains the model."
    )


def print_overwritten_variables(layout: Layout, print_message: Callable[[str], None]) -> None:
    """Prints which variables are not recorded because their gradient is not one."""
    if layout.overwritten_paths:
        print_message(
            f"not recorded: {', '.join(layout.overwritten_paths)}. The optimizer assigns these "
            "variables the value passed as their gradient."
        )


def print_earlier_run(
    block: StepBlock, previous_step: int, print_message: Callable[[str], None]
) -> None:
    """Prints, at the first steps of a new run, that the log directory contains another run.

    Args:
        block: The first block of this `fit`.
        previous_step: Last step in the directory before this `fit`.
        print_message: Prints a line.
    """
    if block.steps[0] == previous_step + 1 and block.iterations[0] == 0:
        print_message(
            "the log_dir contains an earlier run. This run is recorded from step "
            f"{previous_step + 1} on and replaces it. Use a new log_dir for each run to keep both."
        )

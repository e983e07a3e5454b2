"""Which updates the callbacks of a session ask to be held back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_l4.recorder.settings import GuardMode

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback


def guard_mode(members: Sequence[RecordingCallback]) -> GuardMode:
    """What `members` ask for: `"stop"` and `"raise"` protect the weights beside a flight recorder.

    Raises:
        ValueError: They contradict each other.
    """
    actions = {member.action for member in members}
    ends = actions & {"stop", "raise"}
    if "skip" in actions and ends:
        raise ValueError(
            'FlightRecorder(on_nonfinite="skip") goes on after a step that is not finite, but '
            f'another callback asks for action="{ends.pop()}". Give them the same aim.'
        )
    if "skip" in actions:
        return "skip"
    return "latch" if ends and any(member.keeps_steps for member in members) else "off"

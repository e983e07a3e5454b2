"""What the callbacks of a session say when training is over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_l4.callbacks._base import RecordingCallback


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

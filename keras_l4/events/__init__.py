"""TensorBoard event files: what was recorded, written and read back without TensorFlow."""

from keras_l4.events.reader import last_step
from keras_l4.events.run import Run, load
from keras_l4.events.tags import histogram as histogram_tag
from keras_l4.events.writer import BlockWriter

__all__ = ["BlockWriter", "Run", "histogram_tag", "last_step", "load"]

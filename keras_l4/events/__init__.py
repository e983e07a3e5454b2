"""TensorBoard event files: writes blocks and annotations, and reads them back.

Neither direction needs TensorFlow. `run.py` has `load`, the entry point of reading; `writer.py` has
`BlockWriter`, the entry point of writing. `tags.py` defines all tags, `schema.py` describes the
tensors of a tag, `block_tensors.py` converts blocks and `annotations.py` annotations.

May import `keras_l4.records` and nothing else of keras_l4.
"""

from keras_l4.events.reader import last_step
from keras_l4.events.run import Run, load
from keras_l4.events.tags import histogram as histogram_tag
from keras_l4.events.writer import BlockWriter

__all__ = ["BlockWriter", "Run", "histogram_tag", "last_step", "load"]

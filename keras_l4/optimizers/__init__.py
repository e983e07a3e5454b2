"""The Keras optimizers that can record their steps, and recording for any other optimizer.

Each optimizer file has the closed form of its effective learning rate and the optimizer class, which
differs from its Keras namesake only in that it can record. Start with `adam.py`, then `recording.py`.
Callbacks instrument optimizers of any class, so that a closed form alone suffices to add one:

```python
@closed_form(keras.optimizers.Lion)
class LionRate(NominalRate):
    \"\"\"η. The direction is sign(β₁m + (1 - β₁)g). Chen et al. 2023.\"\"\"
```

This package imports `recorder` and what that imports, and nothing above it.
"""

from keras_l4.keras_internals import backend_class, save_as
from keras_l4.optimizers.adadelta import Adadelta
from keras_l4.optimizers.adagrad import Adagrad
from keras_l4.optimizers.adam import Adam
from keras_l4.optimizers.adamax import Adamax
from keras_l4.optimizers.adamw import AdamW
from keras_l4.optimizers.closed_forms import closed_form
from keras_l4.optimizers.instrument import instrument, restore
from keras_l4.optimizers.nadam import Nadam
from keras_l4.optimizers.recording import RecordingMixin
from keras_l4.optimizers.rmsprop import RMSprop
from keras_l4.optimizers.sgd import SGD
from keras_l4.recorder.effective_rate import AdaptiveRate, EffectiveRate, MeasuredRate, NominalRate

__all__ = [
    "SGD",
    "Adadelta",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "AdaptiveRate",
    "EffectiveRate",
    "MeasuredRate",
    "Nadam",
    "NominalRate",
    "RMSprop",
    "RecordingMixin",
    "backend_class",
    "closed_form",
    "instrument",
    "restore",
    "save_as",
]

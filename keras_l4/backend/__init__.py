"""The operations that differ between TensorFlow, JAX and torch.

Start with `interface.py`: it documents six modules. `tensorflow/`, `jax/` and `torch/` each implement
all six; some have helper modules besides. Only the package of the active Keras backend is imported.
The docstring of each package says where its framework differs and what follows from it. `common/` has
the code that is independent of the framework. May import `keras_l4.keras_internals`, and nothing
else of keras_l4; the three packages do not import each other.

>>> from keras_l4 import backend
>>> backend.distribution.is_first_process()
True
"""

import keras

from keras_l4.backend.interface import (
    Core,
    Distribution,
    Gradients,
    Reductions,
    RingBuffer,
    StepState,
)

core: Core
distribution: Distribution
gradients: Gradients
reductions: Reductions
ring_buffer: RingBuffer
step_state: StepState

if keras.backend.backend() == "tensorflow":
    from keras_l4.backend.tensorflow import (
        core,
        distribution,
        gradients,
        reductions,
        ring_buffer,
        step_state,
    )
elif keras.backend.backend() == "jax":
    from keras_l4.backend.jax import (
        core,
        distribution,
        gradients,
        reductions,
        ring_buffer,
        step_state,
    )
elif keras.backend.backend() == "torch":
    from keras_l4.backend.torch import (
        core,
        distribution,
        gradients,
        reductions,
        ring_buffer,
        step_state,
    )
else:
    raise ImportError(
        "keras_l4 supports the Keras backends tensorflow, jax and torch, but the active backend is "
        f"{keras.backend.backend()!r}. Set the environment variable KERAS_BACKEND to one of them "
        "before importing keras."
    )

__all__ = ["core", "distribution", "gradients", "reductions", "ring_buffer", "step_state"]

"""The operations that differ between TensorFlow, JAX and torch.

`tensorflow/`, `jax/` and `torch/` have modules of the same names with the same functions, which
`interface.py` describes. Only the package of the active Keras backend is imported:

>>> from keras_l4 import backend
>>> backend.distribution.is_first_process()
True
"""

import keras

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
    from keras_l4.backend.jax import (  # type: ignore[no-redef]
        core,
        distribution,
        gradients,
        reductions,
        ring_buffer,
        step_state,
    )
elif keras.backend.backend() == "torch":
    from keras_l4.backend.torch import (  # type: ignore[no-redef]
        core,
        distribution,
        gradients,
        reductions,
        ring_buffer,
        step_state,
    )
else:
    raise ImportError(
        "keras_l4 runs on the Keras backends tensorflow, jax and torch; the active one is "
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND to one of them before keras is imported."
    )

__all__ = ["core", "distribution", "gradients", "reductions", "ring_buffer", "step_state"]

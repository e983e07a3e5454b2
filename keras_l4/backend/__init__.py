"""The few places where TensorFlow, JAX and torch differ, and where private Keras names are used.

`tensorflow.py`, `jax.py` and `torch.py` have the same functions; only that of the active Keras
backend is ever imported.
"""

from keras_l4.backend.active import *  # noqa: F403
from keras_l4.backend.bits import is_nonzero, is_subnormal
from keras_l4.backend.fit_guard import fit_arguments, guard_fit, on_fit_exit
from keras_l4.backend.keras_private import (
    accumulation_steps,
    accumulators,
    clip,
    clips,
    implementation,
    inner_optimizer,
    is_overwritten,
    learning_rate,
    loss_scale,
    num_iterations,
    raw_iterations,
    save_as,
    save_like,
    variable_index,
    variable_key,
)
from keras_l4.backend.model_private import (
    is_distributed,
    leaf_layers,
    model_state,
    trained_variables,
)
from keras_l4.backend.norms import exact_norms
from keras_l4.backend.random_state import same_random_state

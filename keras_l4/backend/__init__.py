"""The few places where TensorFlow, JAX and torch differ, and where private Keras names are used.

`tensorflow.py`, `jax.py` and `torch.py` have the same functions; only that of the active Keras
backend is ever imported.
"""

from keras_l4.backend.active import *  # noqa: F403
from keras_l4.backend.batches import BATCHES_AHEAD, Batch, as_fed, watch_batches
from keras_l4.backend.bits import is_nonzero, is_subnormal
from keras_l4.backend.evidence import Evidence
from keras_l4.backend.fit_guard import fit_arguments, guard_fit, on_fit_exit
from keras_l4.backend.hessian import model_derivatives
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
    parts,
    raw_iterations,
    save_as,
    save_like,
    scaled_learning_rate,
    set_learning_rate,
    slot_owner,
    variable_index,
    variable_key,
    without_tensorflow,
)
from keras_l4.backend.layer_calls import layer_path
from keras_l4.backend.model_check import check_model
from keras_l4.backend.model_private import (
    all_layers,
    build_model,
    is_built,
    is_distributed,
    leaf_layers,
    model_state,
    trained_variables,
)
from keras_l4.backend.norms import exact_norms
from keras_l4.backend.pure_loss import Batch as LossBatch
from keras_l4.backend.pure_loss import Derivatives
from keras_l4.backend.put_back import Guards, put_back
from keras_l4.backend.random_state import random_state, same_random_state, set_random_state
from keras_l4.backend.refusal import refusal, words_of
from keras_l4.backend.snapshots import (
    State,
    build_optimizer,
    read_state,
    readable,
    state_variables,
    write_state,
)
from keras_l4.backend.trace import Node, Place, StepTrace
from keras_l4.backend.trace_sources import batch_arrays
from keras_l4.backend.train_step import TrainStep, retraced
from keras_l4.backend.unchanged import unchanged

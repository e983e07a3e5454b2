"""Every private name of Keras that keras_l4 uses, and every patch of a library.

Read this package first when a new version of Keras comes out: each private name has a comment that
says what it is and what fails without it. Start with `optimizers.py`, `models.py` and `fit_exit.py`;
`overrides.py` has the helpers for patches.

It imports nothing else of keras_l4. `custom_gradients` and
`tensorflow_gradients` are imported by name where they are used, since `fit` needs neither.
"""

from keras_l4.keras_internals.batches import (
    NUM_PREFETCHED_BATCHES,
    Batch,
    to_model_input,
    watch_batches,
)
from keras_l4.keras_internals.errors import nonfinite_message, raised_nonfinite_message
from keras_l4.keras_internals.fit_exit import fit_arguments, on_fit_exit, wrap_fit
from keras_l4.keras_internals.layer_calls import layer_path, scope_layer_calls, scope_model_call
from keras_l4.keras_internals.models import (
    all_layers,
    build_model,
    built_variables,
    call_model,
    check_model,
    compiled_loss,
    compute_loss,
    is_built,
    is_distributed,
    leaf_layers,
    preserve_state,
    trained_variables,
    variable_values,
)
from keras_l4.keras_internals.optimizers import (
    accumulation_steps,
    backend_class,
    clip_gradients,
    gradient_accumulators,
    has_clipping,
    inner_optimizers,
    is_overwritten_by_gradient,
    learning_rate,
    loss_scale,
    num_iterations,
    optimizer_slots,
    raw_iterations,
    scaled_learning_rate,
    set_learning_rate,
    slot_owner,
    unpickle,
    unwrap_loss_scaling,
    variable_index,
    variable_key,
)
from keras_l4.keras_internals.overrides import (
    attach_untracked,
    override_calls,
    override_on_instance,
    silence_warnings,
    without_metric_reset,
)
from keras_l4.keras_internals.serialization import save_as, save_like, without_loading_tensorflow
from keras_l4.keras_internals.state import (
    TrainingState,
    build_optimizer,
    preserve_random_state,
    random_state,
    read_state,
    set_random_state,
    state_variables,
    with_variable_values,
    write_state,
)
from keras_l4.keras_internals.train_step import (
    GuardStates,
    TrainStepOverride,
    restore_skipped_state,
    with_fresh_trace,
)
from keras_l4.keras_internals.variables import raw_value, set_raw_value

__all__ = [
    "NUM_PREFETCHED_BATCHES",
    "Batch",
    "GuardStates",
    "TrainStepOverride",
    "TrainingState",
    "accumulation_steps",
    "all_layers",
    "attach_untracked",
    "backend_class",
    "build_model",
    "build_optimizer",
    "built_variables",
    "call_model",
    "check_model",
    "clip_gradients",
    "compiled_loss",
    "compute_loss",
    "fit_arguments",
    "gradient_accumulators",
    "has_clipping",
    "inner_optimizers",
    "is_built",
    "is_distributed",
    "is_overwritten_by_gradient",
    "layer_path",
    "leaf_layers",
    "learning_rate",
    "loss_scale",
    "nonfinite_message",
    "num_iterations",
    "on_fit_exit",
    "optimizer_slots",
    "override_calls",
    "override_on_instance",
    "preserve_random_state",
    "preserve_state",
    "raised_nonfinite_message",
    "random_state",
    "raw_iterations",
    "raw_value",
    "read_state",
    "restore_skipped_state",
    "save_as",
    "save_like",
    "scaled_learning_rate",
    "scope_layer_calls",
    "scope_model_call",
    "set_learning_rate",
    "set_random_state",
    "set_raw_value",
    "silence_warnings",
    "slot_owner",
    "state_variables",
    "to_model_input",
    "trained_variables",
    "unpickle",
    "unwrap_loss_scaling",
    "variable_index",
    "variable_key",
    "variable_values",
    "watch_batches",
    "with_fresh_trace",
    "with_variable_values",
    "without_loading_tensorflow",
    "without_metric_reset",
    "wrap_fit",
    "write_state",
]

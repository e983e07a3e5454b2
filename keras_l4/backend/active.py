"""The modules of the active Keras backend."""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_l4.backend.captured import *  # noqa: F403
    from keras_l4.backend.draft_tensorflow import *  # noqa: F403
    from keras_l4.backend.hessian_tensorflow import derivatives as derivatives
    from keras_l4.backend.hessian_tensorflow import visit_own_gradients as visit_own_gradients
    from keras_l4.backend.one_process import *  # noqa: F403
    from keras_l4.backend.replicas import *  # noqa: F403
    from keras_l4.backend.tensorflow import *  # noqa: F403
    from keras_l4.backend.tensorflow_folds import *  # noqa: F403
    from keras_l4.backend.tensorflow_gradients import *  # noqa: F403
    from keras_l4.backend.tensorflow_ring import *  # noqa: F403
    from keras_l4.backend.trace_tensorflow import trace_step as trace_step
elif keras.backend.backend() == "jax":
    from keras_l4.backend.carried import *  # noqa: F403
    from keras_l4.backend.hessian_jax import derivatives as derivatives
    from keras_l4.backend.hessian_jax import visit_own_gradients as visit_own_gradients
    from keras_l4.backend.jax import *  # noqa: F403
    from keras_l4.backend.jax_branches import *  # noqa: F403
    from keras_l4.backend.jax_folds import *  # noqa: F403
    from keras_l4.backend.jax_kept import kept as kept
    from keras_l4.backend.jax_ring import *  # noqa: F403
    from keras_l4.backend.mesh import *  # noqa: F403
    from keras_l4.backend.no_draft import *  # noqa: F403
    from keras_l4.backend.one_replica import *  # noqa: F403
    from keras_l4.backend.trace_jax import trace_step as trace_step
elif keras.backend.backend() == "torch":
    from keras_l4.backend.captured import *  # noqa: F403
    from keras_l4.backend.hessian_torch import derivatives as derivatives
    from keras_l4.backend.hessian_torch import visit_own_gradients as visit_own_gradients
    from keras_l4.backend.no_draft import *  # noqa: F403
    from keras_l4.backend.one_process import *  # noqa: F403
    from keras_l4.backend.one_replica import *  # noqa: F403
    from keras_l4.backend.torch import *  # noqa: F403
    from keras_l4.backend.torch_folds import *  # noqa: F403
    from keras_l4.backend.torch_ring import *  # noqa: F403
    from keras_l4.backend.trace_torch import trace_step as trace_step
else:
    raise ImportError(
        "keras_l4 runs on the Keras backends tensorflow, jax and torch; the active one is "
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND to one of them before keras is imported."
    )

"""The modules of the active Keras backend."""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_l4.backend.captured import *  # noqa: F403
    from keras_l4.backend.one_process import *  # noqa: F403
    from keras_l4.backend.replicas import *  # noqa: F403
    from keras_l4.backend.tensorflow import *  # noqa: F403
elif keras.backend.backend() == "jax":
    from keras_l4.backend.carried import *  # noqa: F403
    from keras_l4.backend.jax import *  # noqa: F403
    from keras_l4.backend.mesh import *  # noqa: F403
    from keras_l4.backend.one_replica import *  # noqa: F403
elif keras.backend.backend() == "torch":
    from keras_l4.backend.captured import *  # noqa: F403
    from keras_l4.backend.one_process import *  # noqa: F403
    from keras_l4.backend.one_replica import *  # noqa: F403
    from keras_l4.backend.torch import *  # noqa: F403
else:
    raise ImportError(
        "keras_l4 runs on the Keras backends tensorflow, jax and torch; the active one is "
        f"{keras.backend.backend()!r}. Set KERAS_BACKEND to one of them before keras is imported."
    )

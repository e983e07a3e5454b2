"""The derivatives of the active Keras backend."""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_l4.curvature.autodiff.tensorflow import derivatives, visit_own_gradients
elif keras.backend.backend() == "jax":
    from keras_l4.curvature.autodiff.jax import derivatives, visit_own_gradients
else:
    from keras_l4.curvature.autodiff.torch import derivatives, visit_own_gradients

__all__ = ["derivatives", "visit_own_gradients"]

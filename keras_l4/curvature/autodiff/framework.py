"""Imports the derivatives of the active Keras backend."""

import keras

if keras.backend.backend() == "tensorflow":
    from keras_l4.curvature.autodiff.tensorflow import derivatives, visit_custom_gradients
elif keras.backend.backend() == "jax":
    from keras_l4.curvature.autodiff.jax import derivatives, visit_custom_gradients
else:
    from keras_l4.curvature.autodiff.torch import derivatives, visit_custom_gradients

__all__ = ["derivatives", "visit_custom_gradients"]

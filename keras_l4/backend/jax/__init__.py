"""The interface of `keras_l4.backend` on JAX."""

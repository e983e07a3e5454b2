"""Gradients and Hessian-vector products of a model's loss, on the active backend.

Start with `model_derivatives.py`. `loss.py` defines the loss as a pure function; `tensorflow.py`,
`jax.py` and `torch.py` differentiate it twice; `custom_gradients.py` rejects layers whose second
derivative is wrong.

Only measuring a curvature imports this package: neither `fit` nor `import keras_l4.curvature` loads
what second derivatives need of a framework.
"""

from keras_l4.curvature.autodiff.loss import Batch, Derivatives
from keras_l4.curvature.autodiff.model_derivatives import model_derivatives

__all__ = ["Batch", "Derivatives", "model_derivatives"]

"""Gradients and Hessian-vector products of a model's loss."""

from keras_l4.curvature.autodiff.loss import Batch, Derivatives
from keras_l4.curvature.autodiff.model_derivatives import model_derivatives

__all__ = ["Batch", "Derivatives", "model_derivatives"]

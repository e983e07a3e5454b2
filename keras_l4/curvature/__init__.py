"""Curvature of a model's loss: its Hessian, the stability of training, and the loss surface.

`spectrum` measures eigenvalues, `stability` compares them with the optimizer's stability threshold,
`classify` names the kind of point that the weights are at, and `surface` computes a slice of the loss surface.

Read `_objective.py` first: it defines the loss of all data as a function of a flat weight vector.
`_operator.py` wraps its Hessian, `_eigenpairs.py` solves it. `loss_curvature.py` is what the callback
`Curvature` uses. `autodiff` computes the derivatives and is imported only to measure.

This package may import `optimizers`, `recorder` and `keras_internals`, but neither `callbacks` nor
anything else that records.
"""

from keras_l4.curvature._classify import classify
from keras_l4.curvature._config import CurvatureConfig
from keras_l4.curvature._critical_point_report import CriticalPointReport
from keras_l4.curvature._density import Density
from keras_l4.curvature._slice import Directions, Slice, surface
from keras_l4.curvature._spectrum import Spectrum, spectrum
from keras_l4.curvature._stability import Stability, stability

__all__ = [
    "CriticalPointReport",
    "CurvatureConfig",
    "Density",
    "Directions",
    "Slice",
    "Spectrum",
    "Stability",
    "classify",
    "spectrum",
    "stability",
    "surface",
]

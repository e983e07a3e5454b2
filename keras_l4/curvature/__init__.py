"""Curvature: the Hessian of a model's loss, what it means for training, and where a model stands."""

from keras_l4.curvature._classify import classify
from keras_l4.curvature._density import Density
from keras_l4.curvature._directions import Directions
from keras_l4.curvature._effort import Effort
from keras_l4.curvature._place import CriticalPointReport
from keras_l4.curvature._slice import Slice, surface
from keras_l4.curvature._spectrum import Spectrum, spectrum
from keras_l4.curvature._stability import Stability, stability

__all__ = [
    "CriticalPointReport",
    "Density",
    "Directions",
    "Effort",
    "Slice",
    "Spectrum",
    "Stability",
    "classify",
    "spectrum",
    "stability",
    "surface",
]

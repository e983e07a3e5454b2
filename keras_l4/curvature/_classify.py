"""classify: where on its loss surface a model stands."""

from __future__ import annotations

from typing import Any, Unpack

from keras_l4.curvature._effort import Effort, EffortArguments
from keras_l4.curvature._objective import Objective
from keras_l4.curvature._place import CriticalPointReport
from keras_l4.curvature._survey import LandscapeClassifier


def classify(
    model: Any,
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    training_batch_size: int = 32,
    **effort: Unpack[EffortArguments],
) -> CriticalPointReport:
    """What kind of place the model's weights w are at, on the loss surface of these data.

    With L the loss, g its gradient, λmax and λmin the extreme eigenvalues of its Hessian, Λ the
    larger of their magnitudes, r = 0.01 max(1, ‖w‖) and ε the precision of the model's numbers:

    Critical is a place where ‖g‖ r ≤ max(10⁻³ Λ r²/2, 4 ε |L|): within r, slope matters a
    thousandth of what curvature does, or less than rounding. An eigenvalue counts as zero where
    |λ| ≤ max(10 ε Λ, 8 ε |L|/r², its residual): it is rounding. Then a critical place is a

    - minimum: both extremes are above zero;
    - maximum: both are below;
    - saddle: one is above, one below. Certificate: the loss falls along +v_min and along -v_min
      (Dauphin et al. 2014);
    - flat region: otherwise, where the loss changes by at most 10⁻⁵ |L| within r, along ± the
      eigenvectors of the extremes and random directions. Certificate: these changes;
    - degenerate: otherwise. Second order does not decide. Certificate: what the loss does along
      these directions, by its higher orders.

    Elsewhere it is, the first that holds,

    - flat region: ‖g‖ r + Λ r²/2 ≤ 10⁻⁵ |L|, with the changes measured as above;
    - noise-limited: the gradient noise scale is larger than `training_batch_size`, so that a batch
      has more noise than gradient (McCandlish, Kaplan, Amodei 2018). Certificate: that scale,
      from half batches of the data in their order: shuffle them if they are sorted;
    - ravine: κ = λmax/|λ|_q is above 1000;
    - descending: nothing is in the way.

    Args:
        model: A compiled model. Its variables stay as they are.
        x: Inputs: an array, or a structure of them.
        y: Targets, likewise; None where the model adds its own loss.
        sample_weight: Weights of the examples, or None.
        training_batch_size: Examples of a batch in training.
        **effort: As for `spectrum`; `num_probes` and `num_steps` do not matter.

    Raises:
        TypeError: The data are no arrays, but a dataset, for instance.
        ValueError: An argument is not as it should be.
        NotImplementedError: A layer has no second derivative, or by a gradient of its own a wrong
            one; it is named.

    Example:

    >>> import keras_l4
    >>> surface = keras_l4.surfaces.saddle()
    >>> place = classify(surface.model("sgd", start=(0.0, 0.0)), *surface.data())
    >>> place.kind, place.largest, place.smallest, place.changes["+v_min"] < 0
    ('saddle', 1.0, -1.0, True)
    """
    limits = Effort(**effort)
    objective = Objective(model, x, y, sample_weight, batch_size=limits.batch_size)
    return LandscapeClassifier(objective, limits, training_batch_size).place()

"""What is promised, and the names of those it is about. Needs no Keras."""

from __future__ import annotations

BASELINE = "stock"
CONTROL = "stock again"
SUBJECT = "keras_l4"
UNJUDGED = "keras_l4, rules=None"

# Wall time per step with keras_l4 at default settings, relative to stock Keras.
BUDGETS = {
    "cnn": {"tensorflow": 1.02, "jax": 1.02, "torch": 1.03},
    "mlp": {"tensorflow": 1.10, "jax": 1.10, "torch": 1.15},
    "deep": {"tensorflow": 1.08, "jax": 1.05, "torch": 1.10},
}
# Without a promise, for accelerators; see `models.py`.
LARGE = ("resnet50", "transformer")
RECORD_BUDGET = 40  # bytes per variable and step

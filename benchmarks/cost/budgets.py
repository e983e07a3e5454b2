"""Names of the standard variants, and the budgets for keras_l4. Needs no Keras."""

from __future__ import annotations

BASELINE = "stock"
CONTROL = "stock again"
SUBJECT = "keras_l4"
WITHOUT_RULES = "keras_l4, rules=None"

# Wall time per step with keras_l4 at default arguments, relative to stock Keras.
BUDGETS = {
    "cnn": {"tensorflow": 1.02, "jax": 1.02, "torch": 1.03},
    "mlp": {"tensorflow": 1.10, "jax": 1.10, "torch": 1.15},
    "deep": {"tensorflow": 1.08, "jax": 1.05, "torch": 1.10},
}
# Models for accelerators, without a budget; see `models.py`.
LARGE = ("resnet50", "transformer")
RECORD_BUDGET = 40  # bytes per variable and step

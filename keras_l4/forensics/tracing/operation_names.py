"""Plain names of operations, the same on every backend."""

from __future__ import annotations

_PLAIN = {
    "add": ("add_any", "addv2", "addn", "bias_add", "biasadd"),
    "cast": ("convert_element_type", "_to_copy", "tocopy", "copy"),
    "custom_gradient": ("customgradientfunction",),
    "convolution": ("conv_general_dilated", "conv1d", "conv2d", "conv3d", "convolution_backward"),
    "divide": ("div", "realdiv", "true_divide", "floor_divide", "divnonan"),
    "matmul": ("dot_general", "batchmatmulv2", "batchmatmulv3", "einsum", "mm", "bmm", "addmm"),
    "max": ("reduce_max", "amax", "maximum", "maxpool", "max_pool2d_with_indices"),
    "min": ("reduce_min", "amin", "minimum"),
    "multiply": ("mul", "rmul"),
    "negative": ("neg",),
    "power": ("pow", "integer_pow"),
    "softmax": ("_softmax", "_log_softmax", "logsoftmax", "log_softmax"),
    "squared_difference": ("squareddifference",),
    "subtract": ("sub", "rsub"),
    "sum": ("reduce_sum", "cumsum", "unsortedsegmentsum", "segment_sum"),
    "where": ("select_n", "select", "selectv2", "masked_fill"),
    "full": ("full_like", "new_full", "fill"),
    "broadcast": ("broadcast_in_dim", "broadcastto"),
    "reciprocal": ("inv",),
    "sigmoid": ("logistic",),
}
_OF = {name: word for word, names in _PLAIN.items() for name in names}


def plain(name: str) -> str:
    """The plain word for what a framework calls `name`: "divide" for "RealDiv".

    Args:
        name: As the framework writes it; torch marks what works in place by a `_` at the end.

    Returns:
        The word, or "" for a compiled function of TensorFlow, which is no operation but many.
    """
    if name.startswith("__"):
        return ""
    lower = name.lower().rstrip("_")
    return _OF.get(lower, lower)

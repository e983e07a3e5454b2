"""Maps the frameworks' names of operations to plain names, the same on every backend."""

from __future__ import annotations

_FRAMEWORK_NAMES = {
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
_PLAIN_NAMES = {name: plain for plain, names in _FRAMEWORK_NAMES.items() for name in names}


def plain_name(name: str) -> str:
    """Translates a framework's name of an operation: "RealDiv" to "divide".

    Args:
        name: The framework's name. torch appends "_" if the operation writes in place.

    Returns:
        The plain name, in lower case. "" for a compiled function of TensorFlow, which contains
        several operations.
    """
    if name.startswith("__"):
        return ""
    lower = name.lower().rstrip("_")
    return _PLAIN_NAMES.get(lower, lower)

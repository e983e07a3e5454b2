"""Builds the values of a TensorBoard summary: scalars, images and histograms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from tensorboard.compat.proto import summary_pb2
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_FLOAT
from tensorboard.plugins.histogram.summary_v2 import histogram_pb
from tensorboard.util.tensor_util import make_tensor_proto

from keras_l4.events.block_tensors import to_float32
from keras_l4.events.schema import image_metadata, scalar_metadata
from keras_l4.events.surface_image import PngImage

Value: TypeAlias = summary_pb2.Summary.Value


def scalar_values(scalars: Mapping[str, float]) -> list[Value]:
    """Returns one value per tag."""
    metadata = scalar_metadata()
    numbers = to_float32(list(scalars.values())).tolist()
    # `make_tensor_proto` takes five times as long for a single number.
    tensors = [
        TensorProto(dtype=DT_FLOAT, tensor_shape=TensorShapeProto(), float_val=[number])
        for number in numbers
    ]
    pairs = zip(scalars, tensors, strict=True)
    return [Value(tag=tag, metadata=metadata, tensor=tensor) for tag, tensor in pairs]


def image_values(images: Mapping[str, PngImage]) -> list[Value]:
    """Returns one value per tag."""
    metadata = image_metadata()
    return [
        Value(tag=tag, metadata=metadata, tensor=make_tensor_proto(image.as_tensor()))
        for tag, image in images.items()
    ]


def histogram_value(tag: str, values: np.ndarray) -> Value:
    """Returns the histogram of `values`.

    Raises:
        ValueError: One of the values is not finite.
    """
    if not np.isfinite(values).all():
        raise ValueError(
            f"histogram {tag!r}: {np.count_nonzero(~np.isfinite(values))} of {values.size} "
            "values are not finite. Leave them out, and count them instead."
        )
    (value,) = histogram_pb(tag, values).value
    value.metadata.data_class = summary_pb2.DATA_CLASS_TENSOR
    return value

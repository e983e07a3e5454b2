"""TagSchema: describes the tensors of a tag, in the plugin data of the tag's first event."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.image.metadata import create_summary_metadata

from keras_l4.events.tags import TensorKind
from keras_l4.records.block import Variable

FORMAT_VERSION = 1
PLUGIN_NAME = "keras_l4"

INTEGER_COLUMNS = ("steps", "iterations", "epochs", "batches", "sampled", "skipped")
"""Fields of `StepBlock` in a `"step_integers"` tensor.

`skipped` is 0, 1 if loss scaling skipped the step, or `SKIPPED_BY_GUARD`.
"""
FLOAT_COLUMNS = ("learning_rate", "loss_scale", "loss")
"""Fields of `StepBlock` in a `"step_floats"` tensor."""


@dataclass(frozen=True)
class TagSchema:
    """The meaning of the tensors of one tag.

    Attributes:
        kind: The axes of a tensor: `"variable"` `[rows, variables]`, `"layer"` `[rows, layers]`,
            `"step_integers"` `[steps, INTEGER_COLUMNS]` or `"step_floats"` `[steps, FLOAT_COLUMNS]`.
        quantity: Name of the quantity; empty for the last two kinds.
        unit: Unit of the values, empty if there is none.
        pool: Pooling from variables to layers, empty if there is none. A block without a tensor of
            a tag with `"count"` counted zero everywhere.
        sampled: True if there are rows for sampled steps only.
        dtype: NumPy name of the dtype.
        optimizer: Name of the optimizer.
        segment: First step of the event file.
        variables: The recorded variables, in forward order.
    """

    kind: TensorKind
    quantity: str
    unit: str
    pool: str
    sampled: bool
    dtype: str
    optimizer: str
    segment: int
    variables: tuple[Variable, ...]


def encode(schema: TagSchema) -> bytes:
    """Encodes `schema` as JSON."""
    fields = {"format_version": FORMAT_VERSION, **vars(schema)}
    # `dataclasses.asdict` would copy every value deeply, which takes 0.1 s of the first flush of
    # a model with a hundred variables.
    return json.dumps(fields, separators=(",", ":"), default=vars).encode()


def decode(content: bytes) -> TagSchema:
    """Decodes what `encode` returned.

    Raises:
        ValueError: A newer version of keras_l4 wrote the file.
    """
    fields = json.loads(content)
    check_version(fields.pop("format_version"))
    fields["variables"] = tuple(
        Variable(**{**variable, "shape": tuple(variable["shape"])})
        for variable in fields["variables"]
    )
    return TagSchema(**fields)


def check_version(version: int) -> None:
    """Raises a ValueError if a newer version of keras_l4 wrote the file."""
    if version > FORMAT_VERSION:
        raise ValueError(
            f"The event files have format version {version}, but this version of keras_l4 reads "
            f"format versions up to {FORMAT_VERSION}. Upgrade it with "
            "`pip install --upgrade keras_l4`."
        )


def plugin_metadata(content: bytes) -> summary_pb2.SummaryMetadata:
    """Returns the metadata of a tag that belongs to this plugin."""
    # Without a data class, TensorBoard does not load the tensors of a third-party plugin.
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    metadata.plugin_data.content = content
    return metadata


def scalar_metadata() -> summary_pb2.SummaryMetadata:
    """Returns the metadata of a tag in TensorBoard's Scalars tab."""
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_SCALAR)
    metadata.plugin_data.plugin_name = "scalars"
    return metadata


def image_metadata() -> summary_pb2.SummaryMetadata:
    """Returns the metadata of a tag in TensorBoard's Images tab."""
    metadata: summary_pb2.SummaryMetadata = create_summary_metadata("", "")
    metadata.data_class = summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    return metadata

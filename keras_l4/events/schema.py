"""What the first event of a tag says about all that follow."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tensorboard.compat.proto import summary_pb2
from tensorboard.plugins.image.metadata import create_summary_metadata

from keras_l4.events.tags import Kind
from keras_l4.records.block import Variable

FORMAT_VERSION = 1
PLUGIN_NAME = "keras_l4"

INDEX_COLUMNS = ("step", "iterations", "epoch", "batch", "sampled", "skipped")
CLOCK_COLUMNS = ("learning_rate", "loss_scale", "loss")


@dataclass(frozen=True)
class TagSchema:
    """The meaning of the tensors of one tag.

    Attributes:
        kind: `"full"` `[rows, variables]`, `"layer"` `[rows, layers]`, `"index"` `[steps, 6]`
            with `INDEX_COLUMNS`, `skipped` being 1 for loss scaling and 2 for steps that a
            `FlightRecorder` held back, or `"clock"` `[steps, 3]` with `CLOCK_COLUMNS`.
        quantity: Its name, empty for `"index"` and `"clock"`.
        unit: Unit of the values, empty where there is none.
        pool: The rule that pools variables into layers, empty where there is none. With
            `"count"` a block without this tag counted zero everywhere.
        sampled: Whether there are rows for sampled steps only.
        dtype: NumPy name of the dtype.
        optimizer: Name of the optimizer.
        segment: First step of the run of steps that one writer wrote.
        variables: The recorded variables, in forward order.
    """

    kind: Kind
    quantity: str
    unit: str
    pool: str
    sampled: bool
    dtype: str
    optimizer: str
    segment: int
    variables: tuple[Variable, ...]


def encode(schema: TagSchema) -> bytes:
    """`schema` as JSON."""
    fields = {"format_version": FORMAT_VERSION, **vars(schema)}
    # `asdict` copies every value deeply: 0.1 s of a first flush with a hundred variables.
    return json.dumps(fields, separators=(",", ":"), default=vars).encode()


def decode(content: bytes) -> TagSchema:
    """The inverse of `encode`.

    Raises:
        ValueError: A newer version of keras_l4 wrote it.
    """
    fields = json.loads(content)
    check_version(fields.pop("format_version"))
    fields["variables"] = tuple(
        Variable(**{**variable, "shape": tuple(variable["shape"])})
        for variable in fields["variables"]
    )
    return TagSchema(**fields)


def check_version(version: int) -> None:
    """Raises a ValueError where a newer keras_l4 wrote what is read."""
    if version > FORMAT_VERSION:
        raise ValueError(
            f"These event files have format version {version}; this keras_l4 reads versions up "
            f"to {FORMAT_VERSION}. Upgrade it: pip install --upgrade keras_l4"
        )


def record_metadata(schema: TagSchema) -> summary_pb2.SummaryMetadata:
    """Metadata of a tensor of the full record."""
    # Without a data_class both loaders of TensorBoard hide a third-party plugin's tensors.
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_TENSOR)
    metadata.plugin_data.plugin_name = PLUGIN_NAME
    metadata.plugin_data.content = encode(schema)
    return metadata


def scalar_metadata() -> summary_pb2.SummaryMetadata:
    """Metadata of a scalar for the stock dashboards."""
    metadata = summary_pb2.SummaryMetadata(data_class=summary_pb2.DATA_CLASS_SCALAR)
    metadata.plugin_data.plugin_name = "scalars"
    return metadata


def image_metadata() -> summary_pb2.SummaryMetadata:
    """Metadata of a picture for the stock Images tab."""
    metadata: summary_pb2.SummaryMetadata = create_summary_metadata("", "")
    metadata.data_class = summary_pb2.DATA_CLASS_BLOB_SEQUENCE
    return metadata

"""The full record: a StepBlock as tensors, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from keras_l4.events.schema import TagSchema
from keras_l4.events.tags import Kind, record
from keras_l4.records.block import SKIPPED_BY_GUARD, StepBlock


def tag_of(schema: TagSchema) -> str:
    """The tag that `schema` describes."""
    return record(schema.kind, schema.quantity, schema.segment)


def is_implied(schema: TagSchema, tensor: np.ndarray) -> bool:
    """Whether a reader that knows `schema` needs no `tensor`: counts that are all zero."""
    return schema.pool == "count" and not tensor.any()


def to_tensors(
    block: StepBlock, segment: int, units: Mapping[str, str]
) -> Iterator[tuple[TagSchema, np.ndarray]]:
    """Everything that `block` holds, one tensor per tag."""

    def described(kind: Kind, tensor: np.ndarray, quantity: str = "") -> TagSchema:
        return TagSchema(
            kind=kind,
            quantity=quantity,
            unit=units.get(quantity, ""),
            pool=block.pools.get(quantity, ""),
            sampled=quantity in block.sampled_quantities,
            dtype=tensor.dtype.name,
            optimizer=block.optimizer,
            segment=segment,
            variables=block.variables,
        )

    index, clock = _index(block), _clock(block)
    yield described("index", index), index
    yield described("clock", clock), clock
    for quantity in sorted(block.values):
        tensor = _compact(block, quantity)
        yield described("full", tensor, quantity), tensor
    for quantity in sorted(block.layer_values):
        tensor = float32(block.layer_values[quantity])
        yield described("layer", tensor, quantity), tensor


def from_tensors(schemas: Mapping[str, TagSchema], tensors: Mapping[str, np.ndarray]) -> StepBlock:
    """The inverse of `to_tensors`.

    Args:
        schemas: Tag to schema, for all tags that the file has had so far.
        tensors: Tag to tensor, for those in this block; an absent count is zero.
    """
    full = {s.quantity: s for s in schemas.values() if s.kind == "full"}
    arrays = {(schemas[tag].kind, schemas[tag].quantity): array for tag, array in tensors.items()}
    steps, iterations, epochs, batches, sampled, skipped = arrays["index", ""].T
    learning_rate, loss_scale, loss = arrays["clock", ""].T
    any_schema = next(iter(schemas.values()))
    for quantity, schema in full.items():
        if schema.pool == "count":
            num_rows = int(sampled.sum()) if schema.sampled else len(steps)
            zeros = np.zeros((num_rows, len(schema.variables)), schema.dtype)
            arrays.setdefault(("full", quantity), zeros)
    return StepBlock(
        optimizer=any_schema.optimizer,
        variables=any_schema.variables,
        steps=steps,
        iterations=iterations,
        epochs=epochs,
        batches=batches,
        learning_rate=learning_rate,
        loss_scale=loss_scale,
        skipped=skipped > 0,
        held=skipped == SKIPPED_BY_GUARD,
        loss=loss,
        sampled=sampled.astype(bool),
        values={name: array for (kind, name), array in arrays.items() if kind == "full"},
        layer_values={name: array for (kind, name), array in arrays.items() if kind == "layer"},
        pools={name: schema.pool for name, schema in full.items() if schema.pool},
        sampled_quantities=frozenset(name for name, schema in full.items() if schema.sampled),
    )


def _index(block: StepBlock) -> np.ndarray:
    columns = (
        block.steps,
        block.iterations,
        block.epochs,
        block.batches,
        block.sampled,
        np.where(block.held, SKIPPED_BY_GUARD, block.skipped),
    )
    return np.stack(columns, axis=1).astype(np.int64)


def _clock(block: StepBlock) -> np.ndarray:
    columns = (block.learning_rate, block.loss_scale, block.loss)
    return np.stack(columns, axis=1).astype(np.float64)


def _compact(block: StepBlock, quantity: str) -> np.ndarray:
    """Float32, and integers for counts, which float32 does not hold above 2**24."""
    if block.pools.get(quantity) != "count":
        return float32(block.values[quantity])
    wide = block.sizes.max(initial=0) > np.iinfo(np.int32).max
    return np.asarray(block.values[quantity], np.int64 if wide else np.int32)


def float32(values: ArrayLike) -> np.ndarray:
    """Float32; beyond its range Inf, without a warning."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)

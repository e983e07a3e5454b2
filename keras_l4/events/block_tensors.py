"""Converts a StepBlock to tensors, one per tag, and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from keras_l4.events import tags
from keras_l4.events.schema import FLOAT_COLUMNS, INTEGER_COLUMNS, TagSchema
from keras_l4.events.tags import TensorKind
from keras_l4.records.block import SKIPPED_BY_GUARD, StepBlock


def tag_of(schema: TagSchema) -> str:
    """Returns the tag that `schema` describes."""
    return tags.block_tensor(schema.kind, schema.quantity, schema.segment)


def is_redundant(schema: TagSchema, tensor: np.ndarray) -> bool:
    """Returns True for counts that are all zero, which a reader infers from `schema`."""
    return schema.pool == "count" and not tensor.any()


def to_tensors(
    block: StepBlock, segment: int, units: Mapping[str, str]
) -> Iterator[tuple[TagSchema, np.ndarray]]:
    """Yields one tensor per tag, with its schema.

    Args:
        block: The block to convert.
        segment: First step of the event file.
        units: Quantity name to unit.
    """

    def with_schema(
        kind: TensorKind, tensor: np.ndarray, quantity: str = ""
    ) -> tuple[TagSchema, np.ndarray]:
        schema = TagSchema(
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
        return schema, tensor

    yield with_schema("step_integers", _step_integers(block))
    yield with_schema("step_floats", _stack(block, FLOAT_COLUMNS, np.float64))
    for quantity in sorted(block.values):
        yield with_schema("variable", _to_stored_dtype(block, quantity), quantity)
    for quantity in sorted(block.layer_values):
        yield with_schema("layer", to_float32(block.layer_values[quantity]), quantity)


def from_tensors(schemas: Mapping[str, TagSchema], tensors: Mapping[str, np.ndarray]) -> StepBlock:
    """Converts the tensors of `to_tensors` back.

    Args:
        schemas: Tag to schema, for all tags in the file up to this block.
        tensors: Tag to tensor, for the tags of this block. A missing count is zero.
    """
    arrays = {(schemas[tag].kind, schemas[tag].quantity): array for tag, array in tensors.items()}
    integers = dict(zip(INTEGER_COLUMNS, arrays["step_integers", ""].T, strict=True))
    floats = dict(zip(FLOAT_COLUMNS, arrays["step_floats", ""].T, strict=True))
    skipped, sampled = integers.pop("skipped"), integers.pop("sampled").astype(bool)
    quantities = {s.quantity: s for s in schemas.values() if s.kind == "variable"}
    for quantity, schema in quantities.items():
        if schema.pool == "count":
            num_rows = int(sampled.sum()) if schema.sampled else len(sampled)
            zeros = np.zeros((num_rows, len(schema.variables)), schema.dtype)
            arrays.setdefault(("variable", quantity), zeros)
    any_schema = next(iter(schemas.values()))
    return StepBlock(
        optimizer=any_schema.optimizer,
        variables=any_schema.variables,
        **integers,
        **floats,
        sampled=sampled,
        skipped=skipped > 0,
        skipped_by_guard=skipped == SKIPPED_BY_GUARD,
        values={name: array for (kind, name), array in arrays.items() if kind == "variable"},
        layer_values={name: array for (kind, name), array in arrays.items() if kind == "layer"},
        pools={name: schema.pool for name, schema in quantities.items() if schema.pool},
        sampled_quantities=frozenset(n for n, schema in quantities.items() if schema.sampled),
    )


def to_float32(values: ArrayLike) -> np.ndarray:
    """Converts to float32. Values beyond its range become Inf, without NumPy's warning."""
    with np.errstate(over="ignore"):
        return np.asarray(values, np.float32)


def _step_integers(block: StepBlock) -> np.ndarray:
    tensor = _stack(block, INTEGER_COLUMNS, np.int64)
    tensor[block.skipped_by_guard, INTEGER_COLUMNS.index("skipped")] = SKIPPED_BY_GUARD
    return tensor


def _stack(block: StepBlock, names: tuple[str, ...], dtype: type[np.generic]) -> np.ndarray:
    return np.stack([getattr(block, name) for name in names], axis=1).astype(dtype)


def _to_stored_dtype(block: StepBlock, quantity: str) -> np.ndarray:
    """Converts counts to integers and the rest to float32, which is not exact above 2**24."""
    if block.pools.get(quantity) != "count":
        return to_float32(block.values[quantity])
    needs_int64 = block.sizes.max(initial=0) > np.iinfo(np.int32).max
    return np.asarray(block.values[quantity], np.int64 if needs_int64 else np.int32)

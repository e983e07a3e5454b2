"""Data: what `fit` was given, where it can be looked at without being consumed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.target_metadata import target_facts
from keras_l4.records.metadata import InputMetadata, TargetMetadata

NAN = float("nan")
_SAMPLE_ROWS = 1024
_TARGET_ROWS = 4096
_BATCH_ROWS = 128
_BATCH_ELEMENTS = 2**20


@dataclass(frozen=True)
class Data:
    """The arrays that `fit` was given.

    Attributes:
        x: Array, or a structure of them; None for datasets, generators and the like, which
            would be consumed, or their random state moved, by a look.
        y: Array, or None.
        batch_size: Examples of a batch; 0 if not known.
        weighted: Whether some examples count for more than others in training. How well a
            constant does by that measure is not known.
    """

    x: Any = None
    y: Any = None
    batch_size: int = 0
    weighted: bool = False

    @classmethod
    def of_fit(cls) -> Data:
        """What the `fit` that is running was given."""
        given = keras_internals.fit_arguments()
        x, y = given.get("x"), given.get("y")
        if x is None or not all(map(_is_array, keras.tree.flatten(x))):
            return cls()
        weights = (given.get("class_weight"), given.get("sample_weight"))
        return cls(
            x=x,
            y=y if _is_array(y) else None,
            batch_size=given.get("batch_size") or 32,
            weighted=any(weight is not None for weight in weights),
        )

    @property
    def num_examples(self) -> int:
        return 0 if self.x is None else len(keras.tree.flatten(self.x)[0])

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.num_examples // self.batch_size) if self.batch_size else 0

    def batch(self) -> tuple[Any, np.ndarray | None]:
        """A few examples from all over the data, of limited size, and their targets."""
        first = keras.tree.flatten(self.x)[0]
        per_row = max(1, int(np.prod(first.shape[1:])))
        num_rows = int(np.clip(_BATCH_ELEMENTS // per_row, 8, _BATCH_ROWS))
        x = keras.tree.map_structure(lambda a: _rows(a, num_rows), self.x)
        return x, None if self.y is None else _rows(self.y, num_rows)

    def input_facts(self) -> InputMetadata | None:
        """Of the first input."""
        if self.x is None:
            return None
        first = keras.tree.flatten(self.x)[0]
        sample = _rows(first, _SAMPLE_ROWS)
        if sample.dtype.kind not in "fiub":
            return None
        return _input_facts(sample, len(first))

    def target_facts(self, loss: str) -> TargetMetadata | None:
        """Of the only output."""
        if self.y is None:
            return None
        sample = _rows(self.y, _TARGET_ROWS)
        if sample.dtype.kind not in "fiub":
            return None
        facts = target_facts(sample, loss)
        return replace(facts, majority=NAN, trivial_loss=NAN) if self.weighted else facts


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or keras.ops.is_tensor(x) or _is_table(x)


def _is_table(x: Any) -> bool:
    return type(x).__module__.startswith("pandas.")


def _rows(array: Any, number: int) -> np.ndarray:
    """So many rows at equal distances, as Keras would feed them: data is often sorted."""
    picks = np.unique(np.linspace(0, len(array) - 1, number).astype(int))
    if isinstance(array, np.ndarray):
        rows = array[picks]
    elif _is_table(array):
        rows = array.iloc[picks].to_numpy()
    else:
        rows = np.stack([keras.ops.convert_to_numpy(array[int(i)]) for i in picks])
    return rows.astype(keras.config.floatx()) if rows.dtype.kind == "f" else rows


def _input_facts(sample: np.ndarray, num_examples: int) -> InputMetadata:
    values = sample.astype(np.float64)
    finite = np.isfinite(values)
    held = values[finite] if finite.any() else np.zeros(1)
    sizes = _feature_sizes(np.where(finite, values, 0.0))
    return InputMetadata(
        shape=tuple(sample.shape[1:]),
        num_examples=num_examples,
        minimum=float(held.min()),
        maximum=float(held.max()),
        mean=float(held.mean()),
        std=float(held.std()),
        scale=float(sizes.max(initial=0.0)),
        feature_ratio=float(sizes.max() / sizes.min()) if sizes.size else 1.0,
        num_nonfinite=int((~finite).sum()),
        integer=sample.dtype.kind in "iub",
    )


def _feature_sizes(values: np.ndarray) -> np.ndarray:
    """Root mean square of each feature that varies."""
    columns = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    return np.sqrt(np.mean(np.square(columns), axis=0))[columns.std(axis=0) > 0]

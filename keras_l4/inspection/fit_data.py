"""FitData: the data that `fit` was given, if a sample can be read without consuming it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras
import numpy as np

from keras_l4 import keras_internals
from keras_l4.inspection.target_metadata import target_metadata
from keras_l4.records.metadata import InputMetadata, TargetMetadata

NAN = float("nan")
Array: TypeAlias = Any

_INPUT_SAMPLE_ROWS = 1024
_TARGET_SAMPLE_ROWS = 4096
_MIN_BATCH_ROWS, _MAX_BATCH_ROWS = 8, 128
_MAX_BATCH_ELEMENTS = 2**20
_KERAS_DEFAULT_BATCH_SIZE = 32


@dataclass(frozen=True)
class FitData:
    """The arrays that `fit` was given.

    Attributes:
        x: Array, or a structure of arrays. None for datasets and generators: reading a sample would
            consume it, or advance a random state.
        y: Array, or None.
        batch_size: Examples per batch; 0 if unknown.
        is_weighted: Whether examples have weights. The loss of a constant prediction is unknown
            then.
    """

    x: Any = None
    y: Array | None = None
    batch_size: int = 0
    is_weighted: bool = False

    @classmethod
    def from_running_fit(cls) -> FitData:
        """Returns the data of the `fit` that is running."""
        arguments = keras_internals.fit_arguments()
        x, y = arguments.get("x"), arguments.get("y")
        if x is None or not all(map(_is_array, keras.tree.flatten(x))):
            return cls()
        weights = (arguments.get("class_weight"), arguments.get("sample_weight"))
        return cls(
            x=x,
            y=y if _is_array(y) else None,
            batch_size=arguments.get("batch_size") or _KERAS_DEFAULT_BATCH_SIZE,
            is_weighted=any(weight is not None for weight in weights),
        )

    @property
    def num_examples(self) -> int:
        """Number of examples; 0 if unknown."""
        return 0 if self.x is None else len(keras.tree.flatten(self.x)[0])

    @property
    def steps_per_epoch(self) -> int:
        """Batches per epoch; 0 if unknown."""
        return -(-self.num_examples // self.batch_size) if self.batch_size else 0

    def probe_batch(self) -> tuple[Any, np.ndarray | None]:
        """Returns up to 128 examples, spread over the data, and their targets."""
        first = keras.tree.flatten(self.x)[0]
        num_elements = max(1, int(np.prod(first.shape[1:])))
        num_fitting = _MAX_BATCH_ELEMENTS // num_elements
        num_rows = int(np.clip(num_fitting, _MIN_BATCH_ROWS, _MAX_BATCH_ROWS))
        x = keras.tree.map_structure(lambda array: _sample_rows(array, num_rows), self.x)
        return x, None if self.y is None else _sample_rows(self.y, num_rows)

    def input_metadata(self) -> InputMetadata | None:
        """Returns the metadata of the first input; None if it is unknown or not numeric."""
        if self.x is None:
            return None
        first = keras.tree.flatten(self.x)[0]
        sample = _sample_rows(first, _INPUT_SAMPLE_ROWS)
        if sample.dtype.kind not in "fiub":
            return None
        return _input_metadata(sample, len(first))

    def target_metadata(self, loss: str) -> TargetMetadata | None:
        """Returns the metadata of the targets; None if they are unknown or not numeric."""
        if self.y is None:
            return None
        sample = _sample_rows(self.y, _TARGET_SAMPLE_ROWS)
        if sample.dtype.kind not in "fiub":
            return None
        metadata = target_metadata(sample, loss)
        if self.is_weighted:
            return replace(metadata, majority_fraction=NAN, trivial_loss=NAN)
        return metadata


def _is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray) or keras.ops.is_tensor(x) or _is_pandas(x)


def _is_pandas(x: Any) -> bool:
    return type(x).__module__.startswith("pandas.")


def _sample_rows(array: Array, num_rows: int) -> np.ndarray:
    """Returns rows at equal distances, since data is often sorted, in the dtype that Keras feeds."""
    indices = np.unique(np.linspace(0, len(array) - 1, num_rows).astype(int))
    if isinstance(array, np.ndarray):
        rows = array[indices]
    elif _is_pandas(array):
        rows = array.iloc[indices].to_numpy()
    else:
        rows = np.stack([keras.ops.convert_to_numpy(array[int(i)]) for i in indices])
    return rows.astype(keras.config.floatx()) if rows.dtype.kind == "f" else rows


def _input_metadata(sample: np.ndarray, num_examples: int) -> InputMetadata:
    values = sample.astype(np.float64)
    is_finite = np.isfinite(values)
    finite = values[is_finite] if is_finite.any() else np.zeros(1)
    scales = _feature_scales(np.where(is_finite, values, 0.0))
    return InputMetadata(
        shape=tuple(sample.shape[1:]),
        num_examples=num_examples,
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        mean=float(finite.mean()),
        std=float(finite.std()),
        scale=float(scales.max(initial=0.0)),
        feature_ratio=float(scales.max() / scales.min()) if scales.size else 1.0,
        num_nonfinite=int((~is_finite).sum()),
        is_integer=sample.dtype.kind in "iub",
    )


def _feature_scales(values: np.ndarray) -> np.ndarray:
    """Returns the root mean square of each feature (last axis) that is not constant."""
    columns = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[:, None]
    return np.sqrt(np.mean(np.square(columns), axis=0))[columns.std(axis=0) > 0]

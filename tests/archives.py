"""Reads the files that Keras saves, so that tests can compare them."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np

Datasets: TypeAlias = dict[str, tuple[tuple[int, ...], str, bytes]]
"""Path of a dataset to its shape, dtype and bytes."""


def read_hdf5(file: Any) -> Datasets:
    """Returns all datasets of an HDF5 file."""
    datasets: Datasets = {}

    def add(path: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            datasets[path] = node.shape, str(node.dtype), np.array(node).tobytes()

    with h5py.File(file) as content:
        content.visititems(add)
    return datasets


def read_keras_archive(path: Path) -> tuple[str, Datasets]:
    """Returns config and weights of a `.keras` file.

    Object IDs in the config are replaced by 0, since they are addresses in memory.
    """
    with zipfile.ZipFile(path) as content:
        config = content.read("config.json").decode()
        weights = read_hdf5(io.BytesIO(content.read("model.weights.h5")))
    return re.sub(r'(_object_id|_config_id)": \d+', r'\1": 0', config), weights


def with_public_names(config: str) -> str:
    """Replaces the private optimizer class that Keras names on torch by the public one.

    A config with the private class can be loaded on torch only.
    """
    private = (
        '"module": "keras.src.backend.torch.optimizers.torch_adam", "class_name": "Adam"',
        '"registered_name": "Adam"',
    )
    public = ('"module": "keras.optimizers", "class_name": "Adam"', '"registered_name": null')
    for old, new in zip(private, public, strict=True):
        config = config.replace(old, new)
    return config

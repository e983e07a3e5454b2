"""What is in the files that Keras saves."""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np

Tree = dict[str, tuple[tuple[int, ...], str, bytes]]


def tree(file: Any) -> Tree:
    """Every dataset of an HDF5 file: its path, shape, dtype and bytes."""
    found: Tree = {}

    def visit(path: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found[path] = node.shape, str(node.dtype), np.array(node).tobytes()

    with h5py.File(file) as content:
        content.visititems(visit)
    return found


def archive(path: Path) -> tuple[str, Tree]:
    """The config of a `.keras` file, without the addresses of objects, and its weights."""
    with zipfile.ZipFile(path) as content:
        config = content.read("config.json").decode()
        weights = tree(io.BytesIO(content.read("model.weights.h5")))
    return re.sub(r'(_object_id|_config_id)": \d+', r'\1": 0', config), weights


def public(config: str) -> str:
    """On torch stock Keras names a private module, which only torch can load."""
    private = (
        '"module": "keras.src.backend.torch.optimizers.torch_adam", "class_name": "Adam"',
        '"registered_name": "Adam"',
    )
    names = ('"module": "keras.optimizers", "class_name": "Adam"', '"registered_name": null')
    for old, new in zip(private, names, strict=True):
        config = config.replace(old, new)
    return config

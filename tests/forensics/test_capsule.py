"""Capsules load without unpickling anything; damaged ones raise a ValueError."""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

from keras_l4.forensics.capsule import Capsule

METADATA: dict[str, Any] = {
    "format": 1,
    "step": 4,
    "event": {"step": 5, "message": "planted"},
    "epoch_starts": [],
    "recorded": ["dense/kernel"],
    "backend": "tensorflow",
    "model": None,
    "structures": [{"tuple": [{"tuple": [0, {"dict": {"a": 1}}, None]}, {"list": []}]}],
    "variables": {
        "trainable": ["dense/kernel"],
        "non_trainable": [],
        "optimizer": [],
        "metrics": [],
    },
}

ROWS = {"steps": np.array([5]), "gradient_norm": np.zeros((1, 1))}
ROWS |= {"loss": np.zeros(1), "learning_rate": np.zeros(1)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    state = {kind: [np.ones(2)] * len(paths) for kind, paths in METADATA["variables"].items()}
    batch = (np.arange(3), {"a": np.array(["x", "yz"])}, None)
    Capsule(METADATA, state, [(batch, [])], ROWS).save(tmp_path / "capsule-5")
    return tmp_path / "capsule-5"


def test_loading_returns_what_was_saved(folder: Path) -> None:
    capsule = Capsule.load(folder)
    (x, named, weight), _ = capsule.batches[0]
    np.testing.assert_array_equal(x, np.arange(3))
    np.testing.assert_array_equal(named["a"], ["x", "yz"])
    assert weight is None
    np.testing.assert_array_equal(capsule.state["trainable"][0], np.ones(2))
    assert list(folder.parent.iterdir()) == [folder]


def test_parent_folder_is_rejected_with_the_capsules_inside_it(tmp_path: Path) -> None:
    (tmp_path / "capsule-46").mkdir()
    (tmp_path / "capsule-46" / "capsule.json").touch()
    with pytest.raises(FileNotFoundError, match=r"Pass one of \['.*capsule-46'\]"):
        Capsule.load(tmp_path)


def test_other_folder_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a capsule"):
        Capsule.load(tmp_path)


KILLED = """
import os, signal, sys
from pathlib import Path
import numpy as np
from keras_l4.forensics.capsule import Capsule

save = np.savez
def killed(*arguments, **arrays):
    save(*arguments, **arrays)
    os.kill(os.getpid(), signal.SIGKILL)
np.savez = killed
Capsule({}, {"trainable": [np.ones(3)]}, [], {}).save(Path(sys.argv[1]))
"""


@pytest.mark.any_backend
def test_process_killed_while_writing_leaves_no_capsule(folder: Path) -> None:
    unfinished = folder.parent / "capsule-6"
    done = subprocess.run([sys.executable, "-c", KILLED, str(unfinished)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in folder.parent.glob("capsule-*")] == ["capsule-5"]
    Capsule.load(folder).save(unfinished)
    assert Capsule.load(unfinished).metadata == METADATA


class Hostile:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('unpickled')",)


def write_pickle(file: Path) -> None:
    np.savez(file, **{"000000": np.array([Hostile()], dtype=object)})


@pytest.mark.parametrize("name", ["trainable.npz", "batch-000000.npz", "rows.npz"])
def test_pickled_array_is_rejected_without_unpickling(folder: Path, name: str) -> None:
    write_pickle(folder / name)
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


@pytest.mark.parametrize("name", ["trainable.npz", "batch-000000.npz", "rows.npz", "capsule.json"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04nonsense", pickle.dumps(1), b"[1, 2]"])
def test_damaged_file_is_rejected(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"format": 2},
        {"variables": {"../../etc/passwd": ["x"]}},
        {"variables": {"trainable": ["a", "b"]}},
        {"structures": [{"tuple": [7]}]},
        {"structures": [{"exec": [0]}]},
        {"structures": 3},
        {"structures": []},
        {"structures": [{"tuple": [0]}]},
        {"structures": [0]},
        {"step": "4"},
        {"event": {"step": None}},
        {"event": None},
        {"epoch_starts": 1},
        {"recorded": []},
        {"recorded": ["a", "b"]},
        {"backend": None},
        {"model": "os.system"},
    ],
    ids=str,
)
def test_crafted_metadata_is_rejected(folder: Path, change: dict[str, Any]) -> None:
    (folder / "capsule.json").write_text(json.dumps(METADATA | change))
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


def test_too_deeply_nested_metadata_is_rejected(folder: Path) -> None:
    (folder / "capsule.json").write_text("[" * 100_000 + "]" * 100_000)
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


@pytest.mark.parametrize("key", [key for key in METADATA if key != "model_error"])
def test_metadata_with_a_missing_key_is_rejected(folder: Path, key: str) -> None:
    rest = {name: value for name, value in METADATA.items() if name != key}
    (folder / "capsule.json").write_text(json.dumps(rest))
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


def test_array_that_claims_to_be_huge_is_rejected(folder: Path) -> None:
    header = io.BytesIO()
    claim = {"descr": "<f4", "fortran_order": False, "shape": (2**50,)}
    np.lib.format.write_array_header_1_0(header, claim)
    with ZipFile(folder / "trainable.npz", "w") as archive:
        archive.writestr("000000.npy", header.getvalue())
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


def test_compressed_arrays_are_rejected(folder: Path) -> None:
    np.savez_compressed(folder / "trainable.npz", **{"000000": np.zeros(2**20)})
    with pytest.raises(ValueError, match="compressed"):
        Capsule.load(folder)


def test_array_name_cannot_write_outside_of_the_folder(folder: Path) -> None:
    with ZipFile(folder / "rows.npz", "a") as archive:
        archive.writestr("../../escaped.npy", b"nothing")
    outside = sorted(folder.parent.parent.rglob("*escaped*"))
    with contextlib.suppress(ValueError):
        Capsule.load(folder)
    assert sorted(folder.parent.parent.rglob("*escaped*")) == outside == []


@pytest.mark.parametrize(
    "row", [{"loss": np.zeros(2)}, {"gradient_norm": np.zeros(1)}, {"steps": np.array(5)}], ids=str
)
def test_rows_of_wrong_shape_are_rejected(folder: Path, row: dict[str, np.ndarray]) -> None:
    np.savez(folder / "rows.npz", **(ROWS | row))
    with pytest.raises(ValueError, match="damaged"):
        Capsule.load(folder)


def test_python_objects_are_not_saved(tmp_path: Path) -> None:
    batch = np.array([object()])
    with pytest.raises(ValueError, match="Python objects"):
        Capsule(METADATA, {}, [((batch,), [])], {}).save(tmp_path / "capsule")
    assert not list(tmp_path.iterdir())

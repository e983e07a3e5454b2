"""On JAX and torch keras_l4 does not load TensorFlow, which takes seconds and memory."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import keras
import pytest

ROOT = Path(__file__).parents[2]

SCRIPT = """
import sys
import numpy as np
import keras
import keras_l4

model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
model.compile("adam", "mse")
diagnostics = keras_l4.callbacks.TrainingDiagnostics(sys.argv[1], histogram_freq=1)
model.fit(np.ones((8, 3)), np.ones((8, 1)), verbose=0, callbacks=[diagnostics])
assert len(keras_l4.load(sys.argv[1]).steps) == 1
recorder = keras_l4.callbacks.FlightRecorder(sys.argv[1], verbose=0)
model.fit(np.full((8, 3), np.nan), np.ones((8, 1)), verbose=0, callbacks=[recorder])
assert keras_l4.replay(recorder.capsule).is_reproduced
print("tensorflow" in sys.modules)
"""


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="it is the backend")
def test_fit_load_and_replay_do_not_import_tensorflow(tmp_path: Path) -> None:
    assert importlib.util.find_spec("tensorflow"), "TensorFlow has to be installed for this test"
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    environment = os.environ | {"PYTHONPATH": os.fspath(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "False"

"""Training imports neither the tracing of steps nor the derivatives of curvature."""

from __future__ import annotations

import subprocess
import sys

# Both use internals of the frameworks. If an update of a framework breaks one of them, `fit` must
# still work.
NOT_NEEDED_BY_FIT = ("keras_l4.forensics.tracing", "keras_l4.curvature.autodiff")

TRAINING = """
import sys, tempfile
import numpy as np
import keras
import keras_l4.callbacks
from keras_l4.callbacks import FlightRecorder, TrainingDiagnostics

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", run_eagerly=True)
folder = tempfile.mkdtemp()
callbacks = [TrainingDiagnostics(folder, verbose=0), FlightRecorder(folder, verbose=0)]
model.fit(np.full((2, 2), np.nan), np.zeros((2, 1)), verbose=0, callbacks=callbacks)
assert callbacks[1].capsule is not None
"""


def loaded_modules(code: str, packages: tuple[str, ...]) -> list[str]:
    """Runs the code in a new process, returns the imported modules of the packages."""
    script = f"import sys\n{code}\nprint(*(m for m in sys.modules if m.startswith({packages!r})))"
    command = [sys.executable, "-W", "ignore", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_training_does_not_import_internals_of_the_frameworks() -> None:
    assert loaded_modules(TRAINING, NOT_NEEDED_BY_FIT) == []


def test_replay_imports_the_tracing() -> None:
    loaded = loaded_modules("from keras_l4 import replay", ("keras_l4.forensics.tracing",))
    assert "keras_l4.forensics.tracing.log" in loaded

"""Second derivatives are imported only to measure: a change in them cannot break `fit`."""

from __future__ import annotations

import os
import subprocess
import sys

LAZY = ("keras_l4.curvature.autodiff", "keras_l4.keras_internals.custom_gradients")


def test_callbacks_and_curvature_do_not_import_autodiff(backend: str) -> None:
    script = (
        "import sys, keras_l4.callbacks, keras_l4.curvature\n"
        f"print([name for name in sys.modules if name.startswith({LAZY!r})])"
    )
    environment = {**os.environ, "KERAS_BACKEND": backend}
    process = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == "[]"

"""Private names of Keras, and patches of libraries, are in `keras_l4.keras_internals` only."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.keras_internals.private_names import Sources, Use, patches, slots

pytestmark = pytest.mark.any_backend

PACKAGE = Path(__file__).parents[2] / "keras_l4"
INTERNALS = "keras_internals"

# Private names of Keras. A new one needs a comment where it is used, and a line here.
KERAS = {
    # Modules.
    "keras.src.api_export",
    "keras.src.saving.object_registration",
    "keras.src.utils.module_utils",
    # Models and layers.
    "_call_has_training_arg",
    "_compile_loss",
    "_compute_loss",
    "_distribute_strategy",
    "_flatten_layers",
    "_jax_state",
    "_jax_state_synced",
    "_symbolic_build",
    # Variables, data, serialization.
    "_available",
    "_get_iterator",
    "_unpickle_model",
    "_value",
    # Optimizers.
    "_accumulated_gradients",
    "_all_reduce_sum_gradients",
    "_clip_gradients",
    "_get_variable_index",
    "_iterations",
    "_learning_rate",
    "_overwrite_variable_with_gradient",
    "_trainable_variables",
    "_var_key",
    "_var_to_optimizer_idx",
}
# Arguments of `optimizer_slots`: private attributes of optimizers, without the underscore.
SLOTS = {
    "accumulated_delta_vars",
    "accumulated_grads",
    "accumulators",
    "average_gradients",
    "u",
    "velocities",
    "velocity_hats",
}
# Private names of Python, TensorFlow and torch in keras_internals.
OTHERS = {
    "tensorflow.python.eager.backprop",
    "tensorflow.python.eager.context",
    "tensorflow.python.eager.core",
    "tensorflow.python.eager.record",
    "tensorflow.python.ops.custom_gradient",
    "tensorflow.python.pywrap_tfe",
    "_FallbackException",
    "_SingleLevelFunction",
    "_eager_mode_decorator",
    "_getframe",
    "_gradient_function",
    "_rng",
}
# Private names of TensorFlow and torch elsewhere. They are not names of Keras.
ELSEWHERE = {
    ("backend/tensorflow/core.py", "_set_attr"),
    ("forensics/tracing/tensorflow.py", "tensorflow.python.framework.op_callbacks"),
    ("forensics/tracing/torch.py", "torch.utils._python_dispatch.TorchDispatchMode"),
    ("forensics/tracing/torch.py", "_C"),
    ("forensics/tracing/torch.py", "_autograd"),
    ("forensics/tracing/torch.py", "_current_autograd_node"),
    ("forensics/tracing/torch.py", "_get_sequence_nr"),
    ("forensics/tracing/torch.py", "_schema"),
    ("forensics/tracing/torch.py", "_sequence_nr"),
}


def inside(uses: set[Use]) -> set[Use]:
    return {use for use in uses if use.file.startswith(f"{INTERNALS}/")}


@functools.cache
def found() -> frozenset[Use]:
    return frozenset(Sources(PACKAGE).uses())


def test_private_names_of_keras_are_used_in_keras_internals_only() -> None:
    outside = found() - inside(set(found()))
    assert {(use.file, use.name) for use in outside} == ELSEWHERE


def test_every_private_name_in_keras_internals_is_listed() -> None:
    assert {use.name for use in inside(set(found()))} == KERAS | OTHERS


def test_every_kind_of_slot_that_is_read_is_listed() -> None:
    assert slots(Sources(PACKAGE).trees) == SLOTS


def test_libraries_are_patched_in_keras_internals_only() -> None:
    uses = patches(PACKAGE)
    assert uses == inside(uses)
    assert Use(f"{INTERNALS}/fit_exit.py", "keras.Model.fit") in uses


def test_keras_internals_imports_nothing_else_of_keras_l4() -> None:
    for file, tree in Sources(PACKAGE / INTERNALS).trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                module = node.module or ""
                assert not module.startswith("keras_l4") or module.startswith(
                    f"keras_l4.{INTERNALS}"
                ), file


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        ("import keras.src.backend\n", "keras.src.backend"),
        ("from keras.src import backend\n", "keras.src.backend"),
        ("def f(model):\n    return model._compile_loss\n", "_compile_loss"),
        ("def f(x):\n    return x.optimizer._velocities[0]\n", "_velocities"),
        ("def f(v):\n    v._value = None\n", "_value"),
        ("def f(model):\n    return getattr(model, '_jax_state', None)\n", "_jax_state"),
        ("def f(model):\n    return vars(model)['_metrics']\n", "_metrics"),
        ("def f(model):\n    vars(model).pop('_metrics', None)\n", "_metrics"),
        ("def f(o, g):\n    return g(o, _learning_rate=1)\n", "_learning_rate"),
        (
            "import keras\n\n\nclass C(keras.callbacks.Callback):\n"
            "    def on_train_end(self, logs=None):\n        self._model.stop_training = True\n",
            "_model",
        ),
        (
            "import keras\n\n\nclass C(keras.callbacks.Callback):\n"
            "    def set_model(self, model):\n        self._model = model\n",
            "_model",
        ),
        (
            "from keras_l4.callbacks.base import RecordingCallback\n\n\n"
            "class C(RecordingCallback):\n    def f(self):\n        return self._model\n",
            "_model",
        ),
        (
            "import keras\n\n\nclass O(keras.optimizers.SGD):\n"
            "    def _clip_gradients(self, grads):\n        return super()._clip_gradients(grads)\n",
            "_clip_gradients",
        ),
        (
            "def _value(x):\n    return x\n\n\ndef f(v):\n    return _value(v._value)\n",
            "_value",
        ),
        (
            "class Mixin:\n    def f(self):\n        return self._trainable_variables\n",
            "_trainable_variables",
        ),
    ],
)
def test_planted_private_name_is_reported(tmp_path: Path, planted: str, name: str) -> None:
    (tmp_path / "callbacks").mkdir()
    (tmp_path / "callbacks" / "base.py").write_text((PACKAGE / "callbacks" / "base.py").read_text())
    clean = Sources(tmp_path).uses()
    (tmp_path / "planted.py").write_text(planted)
    assert Sources(tmp_path).uses() - clean == {Use("planted.py", name)}


@pytest.mark.parametrize(
    "planted",
    [
        "import warnings\n\nwarnings.warn = print\n",
        "import keras\n\nkeras.layers.Layer.__call__ = print\n",
        "import tensorflow as tf\n\ntf.nn.moments, tf.image.resize = print, print\n",
        "from tensorflow.python.eager import record\n\ndel record.record_operation\n",
        "def f(layer):\n    vars(layer)['call'] = print\n",
        "def f(layer):\n    del vars(layer)['call']\n",
    ],
)
def test_planted_patch_is_reported(tmp_path: Path, planted: str) -> None:
    (tmp_path / "planted.py").write_text(planted)
    assert {use.file for use in patches(tmp_path)} == {"planted.py"}


@pytest.mark.parametrize(
    "planted",
    [
        "class A:\n    def __init__(self):\n        self._x = 1\n\n    def same(self, other):\n"
        "        return self._x == other._x\n",
        "class A:\n    def __init__(self):\n        self._x = 1\n\n\nclass B(A):\n"
        "    def get(self):\n        return self._x\n",
        "def f(pair):\n    return pair._replace(a=1)\n",
        "def f(model):\n    vars(model)['_keras_l4_cache'] = 1\n",
    ],
)
def test_own_private_names_are_not_reported(tmp_path: Path, planted: str) -> None:
    (tmp_path / "planted.py").write_text(planted)
    assert Sources(tmp_path).uses() == set() == patches(tmp_path)

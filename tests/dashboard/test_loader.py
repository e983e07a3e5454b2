from __future__ import annotations

import argparse
import subprocess
import sys
from configparser import ConfigParser
from importlib import import_module
from pathlib import Path

import pytest
from tensorboard.plugins import base_plugin

from keras_l4.dashboard.loader import DiagnosticsLoader
from keras_l4.dashboard.plugin import DiagnosticsPlugin

ROOT = Path(__file__).parent.parent.parent


def test_entry_point_names_the_loader() -> None:
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    (line,) = config["options.entry_points"]["tensorboard_plugins"].split("\n")[1:]
    name, target = line.split(" = ")
    module, attribute = target.split(":")
    assert name == DiagnosticsPlugin.plugin_name
    assert getattr(import_module(module), attribute) is DiagnosticsLoader


def test_loader_imports_no_large_library() -> None:
    """An exception while TensorBoard imports the loader would keep it from starting."""
    script = (
        "import sys, keras_l4.dashboard.loader; "
        "print(*{m.split('.')[0] for m in sys.modules if '.' not in m or 'keras_l4' in m})"
    )
    loaded = subprocess.check_output([sys.executable, "-c", script], text=True).split()
    heavy = {"jax", "keras", "numpy", "plotly", "scipy", "tensorflow", "torch"}
    assert not heavy & set(loaded)


@pytest.mark.parametrize(
    ("given", "expected"),
    [({}, {"keras_l4": 0}), ({"keras_l4": 500, "text": 3}, {"keras_l4": 500, "text": 3})],
)
def test_all_steps_are_kept_unless_the_user_sets_a_limit(given: dict, expected: dict) -> None:
    flags = argparse.Namespace(samples_per_plugin=given)
    DiagnosticsLoader().fix_flags(flags)
    assert flags.samples_per_plugin == expected


@pytest.mark.parametrize("flags", [{}, {"samples_per_plugin": None}, {"samples_per_plugin": "x"}])
def test_flags_of_an_unknown_type_are_left_unchanged(flags: dict) -> None:
    given = argparse.Namespace(**flags)
    DiagnosticsLoader().fix_flags(given)
    assert vars(given) == flags


def test_load_returns_the_plugin() -> None:
    plugin = DiagnosticsLoader().load(base_plugin.TBContext())
    assert isinstance(plugin, DiagnosticsPlugin)
    assert plugin.frontend_metadata().tab_name == "Training Diagnostics"

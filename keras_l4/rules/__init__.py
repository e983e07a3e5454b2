"""Rules: read a recorded run and report findings, i.e. problems with evidence and advice.

Start with `_base.py` (the base class `Rule`) and `_run_view.py` (what a rule can read). Each
public module of this package contains one rule; all of them are imported here, so that a new
file registers a new rule. `RuleEngine` runs a set of rules on a `Record`, which may come from a
running training or from event files.

This package imports `keras_l4.records`, `keras_l4.registry`, NumPy and SciPy only.
"""

from keras_l4.registry import import_submodules
from keras_l4.rules._base import Rule, registry
from keras_l4.rules._engine import PRESETS, RuleEngine, Rules, select_rules
from keras_l4.rules._finding import SEVERITIES, Finding, Severity
from keras_l4.rules._run_view import RunView

import_submodules(__name__, __path__)

__all__ = [
    "PRESETS",
    "SEVERITIES",
    "Finding",
    "Rule",
    "RuleEngine",
    "Rules",
    "RunView",
    "Severity",
    "registry",
    "select_rules",
]

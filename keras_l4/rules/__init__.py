"""Rules: what is wrong with a run, with evidence; silent where nothing is.

A rule is one file here, found by being here. It reads a `Record`, whether that comes from
training or from event files, and needs NumPy and SciPy only.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in sorted(module.name for module in iter_modules(__path__)):
    if not _module.startswith("_"):
        import_module(f"{__name__}.{_module}")

from keras_l4.rules._base import Rule, registry  # noqa: E402
from keras_l4.rules._evidence import RunView  # noqa: E402
from keras_l4.rules._finding import SEVERITIES, Finding, Severity  # noqa: E402
from keras_l4.rules._judge import PRESETS, RuleEngine, Rules, select_rules  # noqa: E402

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

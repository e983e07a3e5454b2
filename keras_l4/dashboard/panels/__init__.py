"""The panels of the tab, on the server's side: a panel is one file here, found by being here.

Its other half is the ES module of the same name in `static/panels`, found likewise. A panel that draws
what another one serves needs the module only.
"""

from importlib import import_module
from pkgutil import iter_modules

for _module in sorted(module.name for module in iter_modules(__path__)):
    if not _module.startswith("_"):
        import_module(f"{__name__}.{_module}")

from keras_l4.dashboard.panels._base import Panel, registry  # noqa: E402

__all__ = ["Panel", "registry"]

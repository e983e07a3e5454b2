"""What might have helped: one remedy per file, found by being here."""

from importlib import import_module
from pkgutil import iter_modules

from keras_l4.forensics.remedies._base import DoesNotApply, Remedy, ReplayContext, registry

for _module in sorted(module.name for module in iter_modules(__path__)):
    if not _module.startswith("_"):
        import_module(f"{__name__}.{_module}")

__all__ = ["DoesNotApply", "ReplayContext", "Remedy", "registry"]

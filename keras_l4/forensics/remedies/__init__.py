"""Remedies: changes under which the steps of a capsule might have stayed finite.

Each file defines one or more subclasses of `Remedy` (see `_base.py`). A new file in this folder is a new
remedy: `import_submodules` imports it, and its class registers itself. `forensics/what_if.py` tries all of
them. Remedies do not import each other.
"""

from keras_l4.forensics.remedies._base import NotApplicable, Remedy, ReplayContext, registry
from keras_l4.registry import import_submodules

import_submodules(__name__, __path__)

__all__ = ["NotApplicable", "Remedy", "ReplayContext", "registry"]

"""The panels of the tab on the server: one file per route.

A new file in this folder is a new route: `import_submodules` imports it, and its `Panel` class
registers itself. The browser's part is the ES module of the same name in `static/panels`. A panel
that only draws data of another route needs the ES module only.
"""

from keras_l4.dashboard.panel import PANELS
from keras_l4.registry import import_submodules

import_submodules(__name__, __path__)

__all__ = ["PANELS"]

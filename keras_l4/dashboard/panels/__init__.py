"""The panels of the tab on the server: one file per route.

A new file in this folder is a new route: `import_submodules` imports it, and its `Panel` class
registers itself. The ES modules in `static/panels` draw the panels: most request the route of the
same name, some request several routes.
"""

from keras_l4.dashboard.panel import PANELS
from keras_l4.registry import import_submodules

import_submodules(__name__, __path__)

__all__ = ["PANELS"]

"""Entry point of the plugin, which TensorBoard imports when it starts.

An exception during this import would keep TensorBoard from starting, so this file imports nothing
but TensorBoard's base class.
"""

from __future__ import annotations

from typing import Any

from tensorboard.plugins import base_plugin

_PLUGIN_NAME = "keras_l4"
_KEEP_ALL_STEPS = 0


class DiagnosticsLoader(base_plugin.TBLoader):
    """Loads the plugin. TensorBoard logs exceptions raised by `load` and runs without the tab."""

    def fix_flags(self, flags: Any) -> None:
        """Makes TensorBoard keep every step, unless `--samples_per_plugin=keras_l4=N` is given.

        By default, TensorBoard keeps a random sample of 10 to 100 events per tag.
        """
        samples_per_plugin = vars(flags).get("samples_per_plugin")
        # Other versions of TensorBoard may use another type. The tab then shows how many steps
        # are missing.
        if isinstance(samples_per_plugin, dict):
            samples_per_plugin.setdefault(_PLUGIN_NAME, _KEEP_ALL_STEPS)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin:
        """Returns the plugin. Everything it needs is imported here and not before."""
        from keras_l4.dashboard.plugin import DiagnosticsPlugin

        return DiagnosticsPlugin(context)

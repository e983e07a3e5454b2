"""What TensorBoard imports as it starts. An exception here would keep it from starting."""

from __future__ import annotations

from typing import Any

from tensorboard.plugins import base_plugin

_NAME = "keras_l4"
_KEEP_ALL = 0


class DiagnosticsLoader(base_plugin.TBLoader):
    """Loads the plugin once TensorBoard runs; it logs what is raised by that, and goes on."""

    def fix_flags(self, flags: Any) -> None:
        """Keeps every step, unless `--samples_per_plugin=keras_l4=N` says otherwise."""
        kept = vars(flags).get("samples_per_plugin")
        # Another version of TensorBoard may hold it otherwise: the tab says what is missing then.
        if isinstance(kept, dict):
            kept.setdefault(_NAME, _KEEP_ALL)

    def load(self, context: base_plugin.TBContext) -> base_plugin.TBPlugin:
        """The plugin, with all that it imports."""
        from keras_l4.dashboard.plugin import DiagnosticsPlugin

        return DiagnosticsPlugin(context)

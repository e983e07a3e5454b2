"""The plugin: routes that answer, and files that are served."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import wrappers

from keras_l4.dashboard.panels import Panel, registry
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.recent import VersionedCache
from keras_l4.dashboard.source import RunRepository
from keras_l4.dashboard.static_files import StaticFile, panel_modules, static_files
from keras_l4.events.schema import PLUGIN_NAME

App = Callable[[Mapping[str, Any], Any], Iterable[bytes]]

_MOST_RECENT = 16
_logger = tb_logging.get_logger()


class DiagnosticsPlugin(base_plugin.TBPlugin):
    """The tab Training Diagnostics.

    Args:
        context: What TensorBoard gives its plugins.
    """

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider
        self._recent: VersionedCache[Any] = VersionedCache(_MOST_RECENT)

    def is_active(self) -> bool:
        """TensorBoard itself shows the tab once there are data of this name."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        return base_plugin.FrontendMetadata(
            es_module_path="/static/index.js", tab_name="Training Diagnostics"
        )

    def get_plugin_apps(self) -> dict[str, App]:
        answers = {f"/{name}": self._answering(panel) for name, panel in registry().items()}
        files = {route: _app(_serving(file)) for route, file in static_files().items()}
        return {"/panels": _app(_panels), **answers, **files}

    def _answering(self, panel: Panel) -> App:
        def respond(request: wrappers.Request) -> wrappers.Response:
            source = RunRepository(
                self._provider,
                plugin_util.context(request.environ),
                plugin_util.experiment_id(request.environ),
                self._recent,
            )
            return _json(request, panel.answer(source, Parameters(request.args)))

        return _app(respond)


def _app(respond: Callable[[wrappers.Request], wrappers.Response]) -> App:
    """Answers GET; errors are one line of text."""

    def serve(request: wrappers.Request) -> wrappers.Response:
        if request.method not in ("GET", "HEAD"):
            return _text(request, f"{request.method} is not allowed here: use GET.", 405)
        try:
            return respond(request)
        except errors.PublicError as error:
            return _text(request, " ".join(str(error).split()), error.http_code)
        except Exception:
            _logger.exception("keras_l4: %s", request.path)
            return _text(request, "keras_l4 failed; TensorBoard's log has the details.", 500)

    return wrappers.Request.application(serve)


def _text(request: wrappers.Request, line: str, code: int) -> wrappers.Response:
    return http_util.Respond(request, f"{line}\n", "text/plain", code=code)


def _json(request: wrappers.Request, answer: Mapping[str, Any]) -> wrappers.Response:
    # A string: TensorBoard would walk over each element of a dict.
    return http_util.Respond(request, json.dumps(answer, allow_nan=False), "application/json")


def _panels(request: wrappers.Request) -> wrappers.Response:
    return _json(request, {"modules": panel_modules()})


def _serving(file: StaticFile) -> Callable[[wrappers.Request], wrappers.Response]:
    def respond(request: wrappers.Request) -> wrappers.Response:
        return http_util.Respond(
            request,
            file.read(),
            file.content_type,
            expires=file.expires,
            content_encoding="gzip" if file.is_compressed else None,
        )

    return respond

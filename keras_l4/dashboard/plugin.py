"""The TensorBoard plugin: maps routes to panels and to static files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

from tensorboard import errors, plugin_util
from tensorboard.backend import http_util
from tensorboard.plugins import base_plugin
from tensorboard.util import tb_logging
from werkzeug import wrappers

from keras_l4.dashboard.panel import Panel
from keras_l4.dashboard.panels import PANELS
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_repository import RunRepository
from keras_l4.dashboard.static_files import StaticFile, panel_modules, static_files
from keras_l4.dashboard.versioned_cache import VersionedCache
from keras_l4.events.schema import PLUGIN_NAME

WsgiApp: TypeAlias = Callable[[Mapping[str, Any], Any], Iterable[bytes]]
Handler: TypeAlias = Callable[[wrappers.Request], wrappers.Response]

_CACHE_SIZE = 16
_logger = tb_logging.get_logger()


class DiagnosticsPlugin(base_plugin.TBPlugin):
    """The Training Diagnostics tab.

    Args:
        context: The context that TensorBoard passes to its plugins.
    """

    plugin_name = PLUGIN_NAME

    def __init__(self, context: base_plugin.TBContext) -> None:
        self._provider = context.data_provider
        self._cache: VersionedCache[Any] = VersionedCache(_CACHE_SIZE)

    def is_active(self) -> bool:
        """Returns False: TensorBoard shows the tab itself once it finds data of this plugin."""
        return False

    def frontend_metadata(self) -> base_plugin.FrontendMetadata:
        return base_plugin.FrontendMetadata(
            es_module_path="/static/index.js", tab_name="Training Diagnostics"
        )

    def get_plugin_apps(self) -> dict[str, WsgiApp]:
        handlers = {f"/{name}": self._panel_handler(panel) for name, panel in PANELS.items()}
        handlers |= {route: _file_handler(file) for route, file in static_files().items()}
        handlers["/panels"] = _list_panels
        return {route: _wsgi_app(handler) for route, handler in handlers.items()}

    def _panel_handler(self, panel: Panel) -> Handler:
        def handle(request: wrappers.Request) -> wrappers.Response:
            repository = RunRepository(
                self._provider,
                plugin_util.context(request.environ),
                plugin_util.experiment_id(request.environ),
                self._cache,
            )
            return _json_response(request, panel.respond(repository, Parameters(request.args)))

        return handle


def _wsgi_app(handler: Handler) -> WsgiApp:
    """Returns a WSGI application for GET requests; it answers errors with one line of text."""

    def serve(request: wrappers.Request) -> wrappers.Response:
        if request.method not in ("GET", "HEAD"):
            return _text_response(request, f"{request.method} is not allowed; use GET.", 405)
        try:
            return handler(request)
        except errors.PublicError as error:
            return _text_response(request, " ".join(str(error).split()), error.http_code)
        except Exception:
            # TensorBoard would answer with an HTML page and could leak the text of the exception.
            _logger.exception("keras_l4: %s", request.path)
            return _text_response(request, "keras_l4 failed. See TensorBoard's log.", 500)

    return wrappers.Request.application(serve)


def _text_response(request: wrappers.Request, line: str, code: int) -> wrappers.Response:
    return http_util.Respond(request, f"{line}\n", "text/plain", code=code)


def _json_response(request: wrappers.Request, content: Mapping[str, Any]) -> wrappers.Response:
    # Passed as a string: given a dict, TensorBoard would visit each element in Python.
    return http_util.Respond(request, json.dumps(content, allow_nan=False), "application/json")


def _list_panels(request: wrappers.Request) -> wrappers.Response:
    return _json_response(request, {"modules": panel_modules()})


def _file_handler(file: StaticFile) -> Handler:
    def handle(request: wrappers.Request) -> wrappers.Response:
        return http_util.Respond(
            request,
            file.read(),
            file.content_type,
            expires=file.expires,
            content_encoding="gzip" if file.is_compressed else None,
        )

    return handle

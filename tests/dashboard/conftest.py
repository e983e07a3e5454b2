from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend import application
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.plugins import base_plugin
from werkzeug.test import Client, TestResponse

from keras_l4.dashboard.plugin import DiagnosticsPlugin
from keras_l4.events import BlockWriter, schema
from keras_l4.records.annotations import Annotation
from keras_l4.records.block import StepBlock
from tests.rules.records import block, model_metadata, probe_result


def write(run_dir: Path, items: Iterable[StepBlock | Annotation]) -> None:
    """Writes a segment of a run as training does."""
    writer = BlockWriter(run_dir)
    for item in items:
        if isinstance(item, StepBlock):
            writer.write(item)
        else:
            writer.write_annotation(item)
    writer.close()


def vanishing() -> list[StepBlock | Annotation]:
    """Returns a run of twelve sigmoid layers with vanishing gradients and a constant loss."""
    depth = 12
    gradient = [10.0 ** (i - depth) for i in range(depth)]
    steps = block(depth=depth, gradient=gradient, loss=[1.1] * 200)
    return [
        model_metadata(depth, "sigmoid"),
        probe_result(0, 1 / 3, depth),
        steps,
        probe_result(200, 1 / 3, depth),
    ]


def sampled(steps: StepBlock, every: int) -> StepBlock:
    """Returns `steps` with weight and update norms at every `every`-th step only."""
    is_sampled = (steps.steps - 1) % every == 0
    names = frozenset({"weight_norm", "update_norm", "update_ratio"})
    rows = {name: steps.values[name][is_sampled] for name in names}
    return replace(
        steps, sampled=is_sampled, sampled_quantities=names, values={**steps.values, **rows}
    )


class ServedPlugin:
    """The plugin in TensorBoard's application, without a port.

    Args:
        log_dir: The log directory.
        max_samples: Events that TensorBoard keeps per tag, 0 for all.
        **flags: Flags of TensorBoard.
    """

    def __init__(self, log_dir: Path, max_samples: int = 0, **flags: Any) -> None:
        self._multiplexer = EventMultiplexer(tensor_size_guidance={schema.PLUGIN_NAME: max_samples})
        self._log_dir = str(log_dir)
        self.provider = MultiplexerDataProvider(self._multiplexer, self._log_dir)
        self.plugin = DiagnosticsPlugin(base_plugin.TBContext(data_provider=self.provider))
        self.reload()
        self._client = Client(application.TensorBoardWSGI([self.plugin], **flags))
        self._prefix = flags.get("path_prefix", "")

    def reload(self) -> None:
        """Reloads the log directory, as TensorBoard does every `--reload_interval` seconds."""
        self._multiplexer.AddRunsFromDirectory(self._log_dir)
        self._multiplexer.Reload()

    def get(self, route: str, method: str = "GET", **parameters: Any) -> TestResponse:
        """Requests a route; returns the response."""
        address = f"{self._prefix}/data/plugin/keras_l4/{route}"
        return self._client.open(address, method=method, query_string=parameters)

    def json(self, route: str, **parameters: Any) -> Any:
        """Requests a route, which has to succeed; returns the content."""
        response = self.get(route, **parameters)
        assert response.status_code == 200, response.data
        return json.loads(response.data)


Serve = Callable[..., ServedPlugin]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves `tmp_path`; takes the options of `ServedPlugin`."""
    return lambda **options: ServedPlugin(tmp_path, **options)

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
from tests.rules.records import block, facts, response


def write(run_dir: Path, items: Iterable[StepBlock | Annotation]) -> None:
    """A segment of a run, as training writes it."""
    writer = BlockWriter(run_dir)
    for item in items:
        if isinstance(item, StepBlock):
            writer.write(item)
        else:
            writer.write_note(item)
    writer.close()


def vanishing() -> list[StepBlock | Annotation]:
    """Twelve layers, of which the first hardly have a gradient, and which learn nothing."""
    depth = 12
    gradient = [10.0 ** (i - depth) for i in range(depth)]
    steps = block(depth=depth, gradient=gradient, loss=[1.1] * 200)
    return [facts(depth, "sigmoid"), response(0, 1 / 3, depth), steps, response(200, 1 / 3, depth)]


def sampled(steps: StepBlock, every: int) -> StepBlock:
    """Weights and updates are looked at every few steps, as in training."""
    looks = (steps.steps - 1) % every == 0
    names = frozenset({"weight_norm", "update_norm", "update_ratio"})
    cut = {name: steps.values[name][looks] for name in names}
    return replace(steps, sampled=looks, sampled_quantities=names, values={**steps.values, **cut})


class Served:
    """Our plugin in TensorBoard's application, without a port."""

    def __init__(self, log_dir: Path, kept: int = 0, **flags: Any) -> None:
        self._multiplexer = EventMultiplexer(tensor_size_guidance={schema.PLUGIN_NAME: kept})
        self._log_dir = str(log_dir)
        provider = MultiplexerDataProvider(self._multiplexer, self._log_dir)
        self.plugin = DiagnosticsPlugin(base_plugin.TBContext(data_provider=provider))
        self.reload()
        self._client = Client(application.TensorBoardWSGI([self.plugin], **flags))
        self._prefix = flags.get("path_prefix", "")

    def reload(self) -> None:
        """What TensorBoard does every `--reload_interval` seconds."""
        self._multiplexer.AddRunsFromDirectory(self._log_dir)
        self._multiplexer.Reload()

    def ask(self, route: str, method: str = "GET", **parameters: Any) -> TestResponse:
        address = f"{self._prefix}/data/plugin/keras_l4/{route}"
        return self._client.open(address, method=method, query_string=parameters)

    def json(self, route: str, **parameters: Any) -> Any:
        answer = self.ask(route, **parameters)
        assert answer.status_code == 200, answer.data
        return json.loads(answer.data)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """Serves `tmp_path`; options are those of `Served`."""
    return lambda **options: Served(tmp_path, **options)

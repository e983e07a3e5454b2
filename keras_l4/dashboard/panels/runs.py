"""runs: the runs of the log directory, and the quantities recorded in each."""

from __future__ import annotations

from typing import Any

from keras_l4.dashboard.panel import Json, Panel
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.run_index import RunIndex
from keras_l4.dashboard.run_repository import RunRepository


class RunsPanel(Panel):
    """The run selector. The page polls this route for new data, so it reads no tensor."""

    name = "runs"

    def respond(self, repository: RunRepository, parameters: Parameters) -> Json:
        return {"runs": [_run_json(index) for index in repository.indexes().values()]}


def _run_json(index: RunIndex) -> dict[str, Any]:
    return {
        "name": index.name,
        "version": "-".join(map(repr, index.version)),
        "last_written": index.version[-1],
        "problem": index.problem,
        "quantities": {name: schema.unit for name, schema in sorted(index.quantities.items())},
    }

"""runs: which runs there are, and what was recorded in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras_l4.dashboard.listing import RunIndex
from keras_l4.dashboard.panels._base import Panel
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository


class Runs(Panel):
    """The run selector, and the clock of reloading: no tensor is read for it."""

    name = "runs"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        return {"runs": [_described(listing) for listing in source.listings().values()]}


def _described(listing: RunIndex) -> dict[str, Any]:
    quantities = {name: schema.unit for name, schema in sorted(listing.quantities.items())}
    return {
        "name": listing.name,
        "version": "-".join(map(repr, listing.version)),
        "last_written": listing.version[-1],
        "problem": listing.problem,
        "quantities": quantities,
    }

"""parting: where two runs part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from keras_l4.dashboard.panels._base import Panel, need
from keras_l4.dashboard.parameters import Parameters
from keras_l4.dashboard.source import RunRepository
from keras_l4.events.parting import Place, parting

_QUANTITY = "gradient_norm"


class WherePart(Panel):
    """The first step and layer at which the gradient norms of two runs differ."""

    name = "parting"

    def answer(self, source: RunRepository, ask: Parameters) -> Mapping[str, Any]:
        names = ask.text("run"), ask.text("other")
        listings = [source.listing(name) for name in names]
        one, other = (source.run(found, [need(found, _QUANTITY)]) for found in listings)
        found = parting(one, other, _QUANTITY)
        return {
            "comparable": found is not None,
            "at_all": _plain(found.at_all) if found else None,
            "clearly": _plain(found.clearly) if found else None,
        }


def _plain(place: Place | None) -> dict[str, Any] | None:
    """As JSON has it: a value that is no number there is text."""
    if place is None:
        return None
    return asdict(place) | {"one": f"{place.one:.6g}", "other": f"{place.other:.6g}"}

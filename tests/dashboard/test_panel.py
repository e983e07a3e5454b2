from __future__ import annotations

import pytest

from keras_l4.dashboard.panel import Panel
from keras_l4.dashboard.panels import PANELS


def test_second_panel_of_the_same_name_is_an_error() -> None:
    with pytest.raises(ValueError, match="name='heat_map', which HeatMapPanel already uses"):
        type("Second", (Panel,), {"name": "heat_map"})


@pytest.mark.parametrize("name", sorted(PANELS))
def test_every_route_is_documented(name: str) -> None:
    from importlib.resources import files

    text = (files("keras_l4.dashboard") / "http_api.md").read_text(encoding="utf-8")
    assert f"## `{name}" in text

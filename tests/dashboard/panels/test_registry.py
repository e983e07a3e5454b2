from __future__ import annotations

import pytest

from keras_l4.dashboard.panels import Panel, registry


def test_name_is_taken_once() -> None:
    with pytest.raises(ValueError, match="'heat_map', which HeatMap has"):
        type("Second", (Panel,), {"name": "heat_map"})


@pytest.mark.parametrize("name", sorted(registry()))
def test_route_is_documented(name: str) -> None:
    from importlib.resources import files

    text = (files("keras_l4.dashboard") / "http_api.md").read_text(encoding="utf-8")
    assert f"## `{name}" in text

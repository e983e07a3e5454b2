from __future__ import annotations

import re
from pathlib import Path

import plotly
import pytest

import keras_l4.dashboard
from keras_l4.dashboard.static_files import panel_modules, static_files
from tests.dashboard.conftest import Serve

STATIC = Path(keras_l4.dashboard.__file__).parent / "static"
EXPORTS = ("order", "title", "description", "dependsOn")


def test_serves_the_static_folder_and_plotly(serve: Serve) -> None:
    served = serve()
    for path in STATIC.rglob("*.*"):
        answer = served.get(f"static/{path.relative_to(STATIC).as_posix()}")
        assert answer.data == path.read_bytes()
    script = served.get("plotly.min.js")
    assert script.headers["Content-Type"].startswith("text/javascript")
    assert script.data == (Path(plotly.__file__).parent / "package_data/plotly.min.js").read_bytes()


@pytest.mark.parametrize(
    "path", ["../plugin.py", "%2e%2e/plugin.py", "..%2fplugin.py", "/etc/passwd", "panels/", "x.js"]
)
def test_other_paths_are_not_found(serve: Serve, path: str) -> None:
    assert serve().get(f"static/{path}").status_code == 404


def test_every_file_in_the_panels_folder_is_a_panel(serve: Serve) -> None:
    assert serve().json("panels")["modules"] == panel_modules()
    assert panel_modules() == sorted(path.name for path in (STATIC / "panels").iterdir())


@pytest.mark.parametrize("name", panel_modules())
def test_panel_module_exports_what_a_frame_needs(name: str) -> None:
    text = (STATIC / "panels" / name).read_text(encoding="utf-8")
    assert re.search(r"^export async function draw\(", text, re.M)
    for constant in EXPORTS:
        assert re.search(rf"^export const {constant} =\s", text, re.M), constant


@pytest.mark.parametrize("route", sorted(static_files()))
def test_static_files_are_short_and_never_set_markup(route: str) -> None:
    if not route.startswith("/static/"):
        return
    text = static_files()[route].read().decode()
    assert len(text.splitlines()) < 200
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
    assert not re.search(r"https?://", text)

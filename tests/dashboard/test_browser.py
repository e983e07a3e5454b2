"""The tab in Chromium, served by TensorBoard."""

from __future__ import annotations

import csv
import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest

from keras_l4.records.block import StepBlock, Variable
from keras_l4.records.selection import select_steps
from tests.dashboard.conftest import write
from tests.rules.curvatures import BOWL, HEALTHY, MULTIPLES
from tests.rules.records import block, model_metadata, probe_result

browser = pytest.importorskip("tests.dashboard.browser", reason="selenium is not installed")

pytestmark = [
    pytest.mark.skipif(
        browser.CHROMIUM is None or browser.DRIVER is None,
        reason="chromium and chromedriver are not installed",
    ),
    pytest.mark.skipif(
        not entry_points(group="tensorboard_plugins", name="keras_l4"),
        reason="TensorBoard cannot find keras_l4: pip install --editable .",
    ),
    pytest.mark.timeout(240),
    # A browser that hangs once is not the fault of the page; three times in a row it is.
    pytest.mark.flaky(reruns=2, only_rerun="ReadTimeoutError"),
]

DEPTH, STEPS = 12, 4000
RATE = "effective_learning_rate"
ATTACK = '<img src=x onerror="parent.hacked=1">&amp;<b>\'é 漢'
HOSTILE = f"{ATTACK}#%?+/diagnostics".replace("</b>", "")
RUN, OTHER = "run/diagnostics", "other/diagnostics"


def faulty() -> StepBlock:
    """Vanishing gradients, loss scaling, and NaN from step 3001 to 3100 in one layer."""
    gradient = np.tile(10.0 ** (np.arange(DEPTH) - DEPTH), (STEPS, 1))
    gradient[3000:3100, 4] = np.nan
    gradient[3200, 5] = np.inf
    rates = {RATE: 0.02, f"{RATE}_p5": 0.01, f"{RATE}_p50": 0.02, f"{RATE}_p95": 0.04}
    fractions = {"zero_fraction": 0.5, "subnormal_fraction": 0.0}
    steps = block(DEPTH, STEPS, gradient=gradient, loss=[1.1] * STEPS, **fractions, **rates)
    scale = np.where(steps.steps > 2000, 512.0, 1024.0)
    return replace(steps, loss_scale=scale, skipped=steps.steps == 2000)


def with_markup_as_names(steps: StepBlock) -> StepBlock:
    """Returns `steps` with layers whose names are HTML."""
    names = [f"{ATTACK}{i}".replace("/", "") for i in range(len(steps.variables))]
    variables = (Variable(f"{name}/kernel", name, (8, 8), "float32") for name in names)
    return replace(steps, variables=tuple(variables))


@pytest.fixture(scope="module")
def log_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("logs")
    write(folder / HOSTILE, [with_markup_as_names(faulty())])
    write(folder / OTHER, [block(DEPTH, 500)])
    start = [model_metadata(DEPTH, "sigmoid"), probe_result(0, 1 / 3, DEPTH)]
    steps = faulty()
    halves = [select_steps(steps, steps.steps <= 2000), select_steps(steps, steps.steps > 2000)]
    saddle = replace(HEALTHY, step=2000, kind="saddle", smallest=-5.0)
    edge = replace(HEALTHY, step=STEPS, sharpness=19.0)
    surface = replace(BOWL, step=STEPS, path_steps=(0, 2000, STEPS), unknown_filters=(ATTACK,))
    end = [edge, surface, probe_result(STEPS, 1 / 3, DEPTH)]
    write(folder / RUN, [*start, halves[0], saddle, halves[1], *end])
    return folder


@pytest.fixture(scope="module")
def address(log_dir: Path) -> Iterator[str]:
    flags = ("--load_fast=true", "--path_prefix=/a/b", "--bind_all", "--reload_interval=1")
    with browser.tensorboard(log_dir, *flags) as url:
        yield url


@pytest.fixture(scope="module")
def shared() -> Iterator[object]:
    shared_browser = browser.SharedBrowser()
    yield shared_browser
    shared_browser.close()


@pytest.fixture
def driver(shared) -> object:
    return shared.empty_tab()


@pytest.fixture
def tab(driver, address, request: pytest.FixtureRequest) -> Iterator[object]:
    """A tab without errors on the console. Saves a screenshot of it in $SCREENSHOTS, if set."""
    opened = browser.Tab(driver, address)
    yield opened
    driver.switch_to.default_content()
    if folder := os.environ.get("SCREENSHOTS"):
        driver.save_screenshot(f"{folder}/{request.node.name}.png")
    assert [line for line in opened.errors() if opened.expected_error not in line] == []
    assert driver.execute_script("return window.hacked") is None


def test_a_browser_that_hangs_is_replaced(shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(browser, "RESPONSE_SECONDS", 1)
    driver = shared.empty_tab()
    os.killpg(driver.service.process.pid, signal.SIGSTOP)
    new_driver = shared.empty_tab()
    assert new_driver.session_id != driver.session_id
    assert new_driver.execute_script("return document.URL") == "about:blank"


def finding(tab, code: str):
    return next(b for b in tab.find_all("#findings button") if code in b.text)


def test_every_panel_draws_its_data(tab) -> None:
    tab.open(run=RUN, compare=json.dumps([OTHER]))
    tab.drawn("findings")
    assert "failed" not in tab.notice("findings")
    assert {"nonfinite", "vanishing-gradient"} <= {c.text for c in tab.find_all("#findings code")}
    tab.drawn("heat_map")
    heat = tab.trace("heat_map")
    assert np.array(heat["z"], float).shape[0] == DEPTH
    np.testing.assert_allclose(
        [row[0] for row in heat["z"]], np.arange(DEPTH) - DEPTH + 0.15, atol=0.01
    )
    marks = np.array(tab.trace("heat_map", 1)["z"], float)
    assert np.nanmax(marks[4]) == 1
    assert np.nanmax(marks[5]) == 2
    assert set(tab.trace("heat_map", 2)["y"]) == {4, 5}
    tab.drawn("nonfinite")
    assert len(tab.trace("nonfinite")["z"]) == 4
    assert set(tab.trace("nonfinite", 2)["y"]) == {512, 1024}
    assert sum(tab.trace("nonfinite", 3)["y"]) == 1
    tab.drawn(RATE)
    assert [tab.trace(RATE, i)["name"] for i in (1, 2, 3)] == ["5–95 %", "median", "nominal"]
    tab.drawn("depth_profile")
    assert "× 0.1 per layer towards the input" in tab.notice("depth_profile")
    tab.drawn("compare")
    scales = [(tab.trace("compare", i)["zmin"], tab.trace("compare", i)["zmax"]) for i in (0, 3)]
    assert scales[0] == scales[1]
    divergence = tab.find("#compare .divergences").text
    assert (
        "first differ at step 1 in dense_0 (1.41421e-12 and 0.141421), by more than 1 %"
        in divergence
    )


def test_selecting_a_finding_moves_the_other_panels(tab) -> None:
    tab.open(run=RUN)
    tab.drawn("heat_map")
    assert "steps 1–4000" in tab.notice("heat_map")
    finding(tab, "nonfinite").click()
    tab.wait(lambda: "steps 1–4000" not in tab.notice("heat_map"))
    view = tab.view()
    assert (view["layer"], view["step"]) == ("dense_4", "3001")
    shapes = "return document.querySelector('#heat_map .chart').layout.shapes.length"
    tab.wait(lambda: tab.script(shapes) == 1)
    tab.drawn(RATE)
    tab.wait(lambda: "dense_4" in tab.notice(RATE))
    tab.drawn("depth_profile")
    tab.wait(lambda: tab.find("#depth_profile output").text == "3001")
    assert "dense_4" in tab.notice("depth_profile")
    tab.wait(lambda: tab.find_all("#findings dl"))
    finding(tab, "nonfinite").click()
    tab.wait(lambda: not tab.find_all("#findings dl"))


def test_zooming_rebins_down_to_single_steps(tab) -> None:
    tab.open(run=RUN)
    tab.drawn("heat_map")
    assert "maximum over" in tab.notice("heat_map")
    zoom = "Plotly.relayout(document.querySelector('#heat_map .chart'), arguments[0])"
    tab.script(zoom, {"xaxis.range[0]": 3090.2, "xaxis.range[1]": 3110.7})
    tab.wait(lambda: "one step per column" in tab.notice("heat_map"))
    assert "steps 3091–3110" in tab.notice("heat_map")
    assert (tab.view()["first"], tab.view()["last"]) == ("3091", "3110")
    tab.find("#all-steps").click()
    tab.wait(lambda: "steps 1–4000" in tab.notice("heat_map"))


def test_arrow_keys_announce_exact_values(tab) -> None:
    tab.open(run=RUN, first=3095, last=3105)
    tab.drawn("heat_map")
    chart = tab.find("#heat_map .chart")
    for _ in range(4):
        chart.send_keys("\ue015")
    announcement = tab.find("#heat_map .announcement")
    assert announcement.text == "dense_4, step 3095: NaN at 1 step"
    for _ in range(6):
        chart.send_keys("\ue014")
    assert announcement.text == "dense_4, step 3101: 1.41421e-8"
    chart.send_keys("\ue007")
    tab.wait(lambda: tab.view().get("layer") == "dense_4")
    assert tab.view()["step"] == "3101"


def test_pointer_shows_a_tooltip_and_selects(tab) -> None:
    from selenium.webdriver import ActionChains

    tab.open(run=RUN)
    chart = tab.drawn("heat_map").find_element("css selector", ".nsewdrag")
    ActionChains(tab.driver).move_to_element(chart).perform()
    tab.wait(lambda: tab.find("#heat_map .tooltip").is_displayed())
    assert "maximum" in tab.find("#heat_map .tooltip").text
    ActionChains(tab.driver).click(chart).perform()
    tab.wait(lambda: "layer" in tab.view())


def test_curvature_panel_shows_measurements_and_selects_steps(tab) -> None:
    tab.open(run=RUN, step=3001)
    chart = tab.drawn("curvature").find_element("css selector", ".chart")
    assert [tab.trace("curvature", i)["y"] for i in (1, 3)] == [[-5, -0.1], [20, 20]]
    assert tab.trace("curvature", 5)["y"] == ["saddle", "descending"]
    chart.send_keys("\ue014")
    announcement = tab.find("#curvature .announcement").text
    assert announcement.startswith(
        "step 4000, after 20 epochs: descending; λmax 5, λmin -0.1, κ = 100"
    )
    assert "sharpness 19, which is 0.95 of the threshold 20" in announcement
    chart.send_keys("\ue007")
    tab.wait(lambda: tab.view()["step"] == "4000")
    finding(tab, "edge-of-stability").click()
    line = "const {shapes, xaxis} = document.querySelector('#curvature .chart').layout;"
    tab.wait(lambda: tab.script(f"{line} return xaxis.range[0] > 1"))
    assert tab.script(f"{line} return shapes[0].x0") == 4000


@pytest.mark.parametrize(("shape", "kind"), [(None, "surface"), ("contour", "contour")])
def test_surface_shows_the_path_of_the_weights(tab, shape: str | None, kind: str) -> None:
    tab.open(run=RUN, step=2500, **({"shape": shape} if shape else {}))
    chart = tab.drawn("surface").find_element("css selector", ".chart")
    surface, path = (tab.trace("surface", i) for i in (0, 1))
    assert (surface["type"], surface["x"], surface["y"]) == (kind, list(MULTIPLES), list(MULTIPLES))
    np.testing.assert_allclose(surface["z"], np.log10(np.transpose(BOWL.loss)), rtol=1e-6)
    assert (path["x"], path["y"]) == ([2, 0.5, 0], [-1, -1, 0])
    assert path["marker"]["size"][1] > path["marker"]["size"][2]
    assert ATTACK in tab.notice("surface")
    chart.send_keys("\ue014")
    chart.send_keys("\ue014")
    assert tab.find("#surface .announcement").text == "step 4000: loss 2, at (0, 0)"
    chart.send_keys("\ue007")
    tab.wait(lambda: tab.view()["step"] == "4000")


def test_surface_can_be_shown_as_a_contour_map(tab) -> None:
    tab.open(run=RUN)
    tab.drawn("surface")
    tab.find("#shape option[value=contour]").click()
    tab.wait(lambda: tab.trace("surface")["type"] == "contour")
    assert tab.view()["shape"] == "contour"


def test_tab_works_inside_a_notebook(tab) -> None:
    """`%tensorboard` shows TensorBoard in a frame of a page of another origin."""
    tab.open_in_notebook(run=RUN, quantity="weight_norm", dark=True)
    tab.drawn("heat_map")
    assert tab.script("return document.querySelector('.chart').layout.paper_bgcolor") == "#303030"
    assert tab.find("#quantity").get_attribute("value") == "weight_norm"
    finding(tab, "nonfinite").click()
    tab.wait(lambda: tab.view()["step"] == "3001")
    tab.drawn("surface")


def test_run_without_curvature_shows_how_to_measure_it(tab) -> None:
    tab.open(run=OTHER)
    tab.drawn("curvature")
    assert "Train with keras_l4.callbacks.Curvature" in tab.notice("curvature")
    assert not tab.find("#curvature .body").is_displayed()
    tab.drawn("surface")
    assert 'surface="pca"' in tab.notice("surface")


def test_selected_quantity_is_drawn(tab) -> None:
    tab.open(run=RUN)
    tab.drawn("heat_map")
    for quantity in ("update_ratio", "weight_norm", RATE, "zero_fraction"):
        before = tab.trace("heat_map")["z"][0][0]
        tab.find(f"#quantity option[value={quantity}]").click()
        tab.wait(lambda before=before: tab.trace("heat_map")["z"][0][0] != before)
        assert tab.view()["quantity"] == quantity


def test_slider_selects_the_step_of_the_depth_profile(tab) -> None:
    tab.open(run=RUN)
    tab.drawn("depth_profile")
    tab.find("#step").send_keys("\ue011")
    tab.wait(lambda: tab.find("#depth_profile output").text == "1")
    assert tab.view()["step"] == "1"


def test_smoothed_line_is_drawn_in_addition(tab) -> None:
    tab.open(run=RUN, smoothing="0.9")
    tab.drawn(RATE)
    median, smoothed = (tab.trace(RATE, i) for i in (2, 4))
    assert smoothed["name"] == "smoothed (0.9)"
    np.testing.assert_allclose(smoothed["y"], median["y"], rtol=1e-6)
    tab.find("#smoothing").send_keys("\ue011")
    tab.wait(
        lambda: tab.script(f"return document.querySelector('#{RATE} .chart').data.length") == 4
    )
    assert "smoothing" not in tab.view()


def test_view_is_restored_from_the_address(tab) -> None:
    tab.open(run=OTHER, quantity="weight_norm", first=10, last=90, layer="dense_7")
    tab.drawn("heat_map")
    assert tab.find("#run").get_attribute("value") == OTHER
    assert "steps 10–90" in tab.notice("heat_map")
    assert tab.find("#first-step").get_attribute("value") == "10"
    tab.drawn(RATE)
    assert "Not recorded" in tab.notice(RATE)


@pytest.mark.parametrize(
    "view",
    [
        {"run": "../../x", "first": "x", "compare": "[1", "quantity": "<b>"},
        {
            "first": 10**14,
            "last": 3,
            "layer": ATTACK,
            "step": "1e9",
            "compare": "[3]",
            "smoothing": 7,
        },
        {"finding": ATTACK, "quantity": "constructor", "compare": json.dumps([ATTACK])},
    ],
)
def test_invalid_address_does_not_break_the_page(tab, view: dict) -> None:
    tab.expected_error = "the server responded with a status of 4"
    tab.open(**{"run": RUN, **view})
    tab.drawn("findings")
    assert tab.find_all("#findings button")


def test_names_with_markup_are_shown_as_text(tab) -> None:
    tab.open(run=HOSTILE, compare=json.dumps([RUN]))
    tab.drawn("heat_map")
    assert tab.find("#run").get_attribute("value") == HOSTILE
    finding(tab, "nonfinite").click()
    for panel in ("heat_map", "nonfinite", RATE, "depth_profile", "compare"):
        tab.drawn(panel)
    ticks = tab.script(
        "return [...document.querySelectorAll('#heat_map [class^=yaxislayer] text')].map((t) => t.textContent)"
    )
    assert len(ticks) > 10
    assert all("<b>'é" in tick for tick in ticks)
    assert not tab.find_all("img, .chart b")


def test_data_and_chart_can_be_downloaded(tab, tmp_path: Path) -> None:
    folder = {"behavior": "allow", "downloadPath": str(tmp_path)}
    tab.driver.execute_cdp_cmd("Browser.setDownloadBehavior", folder)
    tab.open(run=RUN, first=3001, last=3002)
    tab.drawn("heat_map")
    for button in tab.find_all("#heat_map .downloads button"):
        button.click()
    names = {"keras_l4-heat_map.csv", "keras_l4-heat_map.png"}
    tab.wait(lambda: {path.name for path in tmp_path.iterdir()} == names)
    with (tmp_path / "keras_l4-heat_map.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[1][:3] + rows[1][4:] == ["dense_0", "3001", "3001", "0", "0"]
    assert float(rows[1][3]) == pytest.approx(np.sqrt(2) * 1e-12, rel=1e-6)
    assert ["dense_4", "3002", "3002", "NaN", "1", "0"] in rows
    assert (tmp_path / "keras_l4-heat_map.png").read_bytes()[:4] == b"\x89PNG"


def test_charts_follow_dark_mode(tab) -> None:
    tab.open(dark=True, run=RUN)
    tab.drawn("heat_map")
    assert tab.script("return document.querySelector('.chart').layout.paper_bgcolor") == "#303030"
    tab.script("parent.document.body.classList.remove('dark-mode')")
    tab.wait(
        lambda: (
            tab.script("return document.querySelector('.chart').layout.paper_bgcolor") == "#ffffff"
        )
    )


def test_controls_and_charts_have_accessible_names(tab) -> None:
    """Screen readers need the names of regions, charts and controls."""
    tab.open(run=RUN)
    tab.drawn("heat_map")
    assert (
        tab.find("#heat_map .chart").get_attribute("aria-label").startswith("Heat map of the gra")
    )
    for node in tab.find_all("section, select, input, button"):
        assert node.accessible_name or not node.is_displayed(), node.get_attribute("outerHTML")


def test_page_follows_training(driver, tmp_path: Path) -> None:
    """The page starts with an empty folder and shows a run while it grows, without reloading."""
    with browser.tensorboard(tmp_path, "--load_fast=false", "--reload_interval=1") as address:
        tab = browser.Tab(driver, address).open()
        tab.wait(lambda: "No keras_l4 data" in tab.find("#empty").text)
        steps = block(num_steps=20)
        write(tmp_path / "new", [steps])
        tab.wait(lambda: "steps 1–20" in tab.notice("findings"))
        write(
            tmp_path / "new", [replace(steps, steps=steps.steps + 20, iterations=steps.steps + 19)]
        )
        tab.wait(lambda: "steps 1–40" in tab.notice("findings"))

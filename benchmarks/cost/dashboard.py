"""Measures the speed of the Training Diagnostics tab in headless Chromium, as a Markdown table.

    PYTHONPATH=. python benchmarks/cost/dashboard.py --layers 100 --steps 10000

Cold: TensorBoard and the browser have just been started. Warm: the page is reloaded. Times start when
TensorBoard opens the tab.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from machine import describe

from keras_l4.events import BlockWriter
from keras_l4.records.block import StepBlock
from tests.dashboard.browser import Tab, chromium, tensorboard
from tests.rules.records import block, model_metadata

RUN = "run/diagnostics"
RATE = "effective_learning_rate"
FLUSH_EVERY = 64

TIME_ACTION = """
const done = arguments[arguments.length - 1];
const panels = [...document.querySelectorAll(".panel")];
const selector = arguments.length > 2 ? arguments[1] : null;
const text = () => selector && document.querySelector(selector).textContent;
const textBefore = text();
const start = performance.now();
(new Function(arguments[0]))();
const check = () => {
  const isWaiting = selector && text() === textBefore;
  if (isWaiting || panels.some((p) => p.dataset.state === "drawing")) requestAnimationFrame(check);
  else requestAnimationFrame(() => setTimeout(() => done(performance.now() - start)));
};
check();
"""
CLICK = "document.querySelector('#findings ol button').click()"
SLIDE = (
    "const s = document.querySelector('#step'); s.value = %d; s.dispatchEvent(new Event('input'))"
)
ZOOM = (
    "Plotly.relayout(document.querySelector('#heat_map .chart'),"
    " {'xaxis.range[0]': %d, 'xaxis.range[1]': %d})"
)
HOVER = """
const drag = document.querySelector("#heat_map .nsewdrag"), box = drag.getBoundingClientRect();
const position = {clientX: box.x + box.width * %f, clientY: box.y + box.height / 2, bubbles: true};
drag.dispatchEvent(new MouseEvent("mouseover", position));
drag.dispatchEvent(new MouseEvent("mousemove", position));
"""


def create_blocks(layers: int, steps: int) -> Iterator[StepBlock]:
    """Yields blocks of eight quantities, with two variables per layer and NaN at one step."""
    rng = np.random.default_rng(0)
    for first in range(1, steps + 1, FLUSH_EVERY):
        num_steps = min(FLUSH_EVERY, steps + 1 - first)
        noise = rng.lognormal(sigma=0.5, size=(num_steps, layers))
        gradient = noise * np.logspace(-6, 0, layers)
        if first <= steps // 2 < first + num_steps:
            gradient[:5, layers // 2] = np.nan
        template = block(
            layers, num_steps, gradient=gradient, ratio=noise / 100, **{RATE: noise / 1000}
        )
        template.values["gradient_max_abs"] = template.values["gradient_norm"] / 2
        numbers = np.arange(first, first + num_steps)
        pools = {**template.pools, "gradient_max_abs": "maximum"}
        yield replace(
            template, steps=numbers, iterations=numbers - 1, epochs=numbers // 1000, pools=pools
        )


def write_run(folder: Path, layers: int, steps: int) -> int:
    """Writes a log directory; returns its size in bytes."""
    writer = BlockWriter(folder / RUN)
    writer.write_annotation(model_metadata(layers))
    for recorded in create_blocks(layers, steps):
        writer.write(recorded)
    writer.close()
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def wait_until_loaded(address: str, steps: int) -> None:
    """Waits until TensorBoard has read the files."""
    while True:
        with urllib.request.urlopen(f"{address}data/plugin/keras_l4/runs") as response:
            runs = json.load(response)["runs"]
        if runs and float(runs[0]["version"].split("-")[1]) == steps:
            return
        time.sleep(0.2)


def time_loading(tab: Tab) -> dict[str, float]:
    """Returns the milliseconds until the findings and until all visible charts were drawn."""
    tab.open()
    tab.wait(lambda: tab.states().get("heat_map") == "drawn")
    tab.wait(lambda: "drawing" not in tab.states().values())
    marks = tab.script(
        "return performance.getEntriesByType('mark').map((m) => [m.name, m.startTime])"
    )
    first: dict[str, float] = {}
    for name, moment in marks:
        first.setdefault(name.removeprefix("keras_l4:"), moment)
    return {"findings": first["findings"], "charts": max(first.values())}


def time_actions(tab: Tab, steps: int, times: int) -> dict[str, list[float]]:
    """Returns the milliseconds from each action until the charts are redrawn."""
    tab.script("document.scrollingElement.scrollTo(0, 0)")
    milliseconds: dict[str, list[float]] = {"hover": [], "click": [], "zoom": [], "slider": []}
    for i in range(times):
        milliseconds["hover"].append(
            time_action(tab, HOVER % (0.1 + i / 20), "#heat_map .announcement")
        )
        milliseconds["click"].append(time_action(tab, CLICK))
        milliseconds["zoom"].append(
            time_action(tab, ZOOM % (steps // 4 + i, steps // 2 + i), "#heat_map .notice")
        )
        time_action(tab, "document.querySelector('#all-steps').click()")
    tab.drawn("depth_profile")
    milliseconds["slider"] = [
        time_action(tab, SLIDE % (steps // 9 * (i + 1))) for i in range(times)
    ]
    return milliseconds


def time_action(tab: Tab, action: str, *selector: str) -> float:
    """Returns the milliseconds until no panel is drawing and the text of `selector` has changed."""
    return float(tab.driver.execute_async_script(TIME_ACTION, action, *selector))


def response_sizes(tab: Tab) -> dict[str, int]:
    """Returns the compressed size of the largest response of each route, in bytes."""
    resources = tab.script(
        "return performance.getEntriesByType('resource').map((r) => [r.name, r.encodedBodySize])"
    )
    sizes: dict[str, int] = {}
    for name, size in resources:
        route = name.partition("keras_l4/")[2].partition("?")[0]
        if route and not route.startswith("static"):
            sizes[route] = max(size, sizes.get(route, 0))
    return sizes


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=7)
    options = parser.parse_args()
    cold: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        size = write_run(Path(name), options.layers, options.steps)
        for _ in range(options.times):
            with tensorboard(Path(name)) as address, chromium() as driver:
                wait_until_loaded(address, options.steps)
                tab = Tab(driver, address)
                tab.driver.set_script_timeout(60)
                cold.append(time_loading(tab))
                warm = (
                    [time_loading(tab) for _ in range(options.times)]
                    if len(cold) == options.times
                    else []
                )
                actions = time_actions(tab, options.steps, options.times) if warm else {}
                sizes = response_sizes(tab)
    print(describe())
    print(f"{options.layers} layers, {options.steps} steps, {size / 1e6:.0f} MB of events\n")
    print("| event | median, ms | worst, ms |\n|---|---|---|")
    rows: dict[str, Any] = {f"{k}, cold": [c[k] for c in cold] for k in ("findings", "charts")}
    rows |= {f"{k}, warm": [w[k] for w in warm] for k in ("findings", "charts")} | actions
    for event, times in rows.items():
        print(f"| {event} | {statistics.median(times):.0f} | {max(times):.0f} |")
    print("\n| route | kB, compressed |\n|---|---|")
    for route, number in sorted(sizes.items()):
        print(f"| {route} | {number / 1e3:.0f} |")


if __name__ == "__main__":
    main()

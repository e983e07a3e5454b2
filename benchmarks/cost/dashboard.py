"""How fast the tab Training Diagnostics is: medians in headless Chromium, as a Markdown table.

    PYTHONPATH=. python benchmarks/cost/dashboard.py --layers 100 --steps 10000

Cold: TensorBoard and the browser have just been started. Warm: the page is loaded again. Times count
from the moment at which TensorBoard opens the tab.
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
from tests.rules.records import block, facts

RUN = "run/diagnostics"
RATE = "effective_learning_rate"
FLUSH_EVERY = 64

TIMED = """
const done = arguments[arguments.length - 1];
const panels = [...document.querySelectorAll(".panel")];
const line = arguments.length > 2 ? arguments[1] : null;
const told = () => line && document.querySelector(line).textContent;
const before = told();
const start = performance.now();
(new Function(arguments[0]))();
const check = () => {
  const isWaiting = line && told() === before;
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
const at = {clientX: box.x + box.width * %f, clientY: box.y + box.height / 2, bubbles: true};
drag.dispatchEvent(new MouseEvent("mouseover", at));
drag.dispatchEvent(new MouseEvent("mousemove", at));
"""


def blocks(layers: int, steps: int) -> Iterator[StepBlock]:
    """Eight quantities of two variables per layer, each at every step; a NaN in the middle."""
    rng = np.random.default_rng(0)
    for first in range(1, steps + 1, FLUSH_EVERY):
        number = min(FLUSH_EVERY, steps + 1 - first)
        noise = rng.lognormal(sigma=0.5, size=(number, layers))
        gradient = noise * np.logspace(-6, 0, layers)
        if first <= steps // 2 < first + number:
            gradient[:5, layers // 2] = np.nan
        made = block(layers, number, gradient=gradient, ratio=noise / 100, **{RATE: noise / 1000})
        made.values["gradient_max_abs"] = made.values["gradient_norm"] / 2
        at = np.arange(first, first + number)
        pools = {**made.pools, "gradient_max_abs": "maximum"}
        yield replace(made, steps=at, iterations=at - 1, epochs=at // 1000, pools=pools)


def write(folder: Path, layers: int, steps: int) -> int:
    """A log directory; its size in bytes."""
    writer = BlockWriter(folder / RUN)
    writer.write_note(facts(layers))
    for made in blocks(layers, steps):
        writer.write(made)
    writer.close()
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def ready(address: str, steps: int) -> None:
    """Waits until TensorBoard has read the files."""
    while True:
        with urllib.request.urlopen(f"{address}data/plugin/keras_l4/runs") as answer:
            runs = json.load(answer)["runs"]
        if runs and float(runs[0]["version"].split("-")[1]) == steps:
            return
        time.sleep(0.2)


def loaded(tab: Tab) -> dict[str, float]:
    """Milliseconds until each panel was drawn for the first time."""
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


def acted(tab: Tab, steps: int, times: int) -> dict[str, list[float]]:
    """Milliseconds from an action to the charts that follow it."""
    tab.script("document.scrollingElement.scrollTo(0, 0)")
    out: dict[str, list[float]] = {"hover": [], "click": [], "zoom": [], "slider": []}
    for i in range(times):
        out["hover"].append(timed(tab, HOVER % (0.1 + i / 20), "#heat_map .told"))
        out["click"].append(timed(tab, CLICK))
        out["zoom"].append(timed(tab, ZOOM % (steps // 4 + i, steps // 2 + i), "#heat_map .notice"))
        timed(tab, "document.querySelector('#all-steps').click()")
    tab.drawn("depth_profile")
    out["slider"] = [timed(tab, SLIDE % (steps // 9 * (i + 1))) for i in range(times)]
    return out


def timed(tab: Tab, action: str, *told: str) -> float:
    """Until no panel is being drawn, and `told` says something else."""
    return float(tab.driver.execute_async_script(TIMED, action, *told))


def sizes(tab: Tab) -> dict[str, int]:
    """Bytes on the wire of the largest answer of each route."""
    found = tab.script(
        "return performance.getEntriesByType('resource').map((r) => [r.name, r.encodedBodySize])"
    )
    out: dict[str, int] = {}
    for name, size in found:
        route = name.partition("keras_l4/")[2].partition("?")[0]
        if route and not route.startswith("static"):
            out[route] = max(size, out.get(route, 0))
    return out


def main() -> None:
    """Prints two tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--layers", type=int, default=100)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--times", type=int, default=7)
    given = parser.parse_args()
    cold: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as name:
        size = write(Path(name), given.layers, given.steps)
        for _ in range(given.times):
            with tensorboard(Path(name)) as address, chromium() as driver:
                ready(address, given.steps)
                tab = Tab(driver, address)
                tab.driver.set_script_timeout(60)
                cold.append(loaded(tab))
                warm = [loaded(tab) for _ in range(given.times)] if len(cold) == given.times else []
                actions = acted(tab, given.steps, given.times) if warm else {}
                answers = sizes(tab)
    print(describe())
    print(f"{given.layers} layers, {given.steps} steps, {size / 1e6:.0f} MB of events\n")
    print("| what | median, ms | worst, ms |\n|---|---|---|")
    rows: dict[str, Any] = {f"{k}, cold": [c[k] for c in cold] for k in ("findings", "charts")}
    rows |= {f"{k}, warm": [w[k] for w in warm] for k in ("findings", "charts")} | actions
    for what, times in rows.items():
        print(f"| {what} | {statistics.median(times):.0f} | {max(times):.0f} |")
    print("\n| route | kB, compressed |\n|---|---|")
    for route, number in sorted(answers.items()):
        print(f"| {route} | {number / 1e3:.0f} |")


if __name__ == "__main__":
    main()

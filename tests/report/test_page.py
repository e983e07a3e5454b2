from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from keras_l4.records.block import StepBlock
from keras_l4.report.charts import heat_map, lines
from keras_l4.report.judged import EvaluatedRun
from keras_l4.report.page import page
from tests.report.conftest import Write
from tests.rules.records import LOST, NUM_STEPS

EVIL = "<script>alert('x')</script>&\"dense"


class Tags(HTMLParser):
    """Which tags there are, and whether all of them are closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.open: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "br", "rect"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "rect":
            assert self.open.pop() == tag


def test_it_is_whole_and_needs_nothing_else(write: Write) -> None:
    gradient = np.full((NUM_STEPS, 3), 0.1)
    gradient[90:, 0] = np.nan
    log_dir = write("bad", LOST, gradient=gradient, effective_learning_rate=0.1)
    text = page(EvaluatedRun.read(log_dir))
    tags = Tags(text)

    assert tags.open == []
    assert {"svg", "rect", "polyline", "table", "details"} <= set(tags.seen)
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert not [name for name, _ in tags.attributes if name in ("src", "href", "onload")]
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert "nonfinite" in text
    assert "dense_0/kernel" in text


def test_what_comes_from_the_run_is_escaped(write: Write) -> None:
    judged = EvaluatedRun.read(write("bad", LOST, gradient=np.nan, effective_learning_rate=0.1))
    blocks = tuple(_renamed(block) for block in judged.run.blocks)
    findings = tuple(replace(f, layers=(EVIL,), explanation=EVIL) for f in judged.findings)
    text = page(replace(judged, run=replace(judged.run, blocks=blocks), findings=findings))

    assert "script" not in Tags(text).seen
    assert "&lt;script&gt;alert" in text


def _renamed(block: StepBlock) -> StepBlock:
    variables = tuple(replace(v, path=f"{EVIL}/{v.path}", layer=EVIL) for v in block.variables)
    return replace(block, variables=variables)


def test_a_heat_map_has_a_row_per_layer_and_shows_what_is_not_finite() -> None:
    values = np.geomspace(1e-8, 1.0, 300).reshape(100, 3)
    values[40:60, 1] = np.nan
    svg = heat_map(np.arange(1, 101), ["a", "b", "c"], values)
    assert svg.count("<rect") == 300
    assert svg.count("#d62728") == svg.count("not finite") == 20
    assert "log₁₀ -8.0 (dark) to 0.0" in svg


def test_long_runs_are_drawn_in_few_cells() -> None:
    svg = heat_map(np.arange(1, 5001), ["a"], np.ones((5000, 1)))
    assert svg.count("<rect") == 120


def test_lines_leave_gaps_and_need_something_to_draw() -> None:
    values = np.array([[1.0, 0.1], [np.nan, 0.0], [10.0, 0.01]])
    svg = lines(np.array([1, 2, 3]), ["a", "b"], values)
    assert svg.count("<polyline") == 2
    assert "nan" not in svg
    assert "Nothing above zero" in lines(np.array([1, 2]), ["a"], np.zeros((2, 1)))

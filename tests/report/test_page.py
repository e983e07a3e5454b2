from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np

from keras_l4.records.block import StepBlock
from keras_l4.report.charts import heat_map, line_chart
from keras_l4.report.evaluated_run import EvaluatedRun
from keras_l4.report.page import render_page
from tests.report.conftest import Write
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS

EVIL = "<script>alert('x')</script>&\"dense"


class Tags(HTMLParser):
    """Collects the tags and attributes, and the tags that are not closed."""

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


def test_page_is_self_contained(write: Write) -> None:
    gradient = np.full((NUM_STEPS, 3), 0.1)
    gradient[90:, 0] = np.nan
    log_dir = write("bad", CONSTANT_ACCURACY, gradient=gradient, effective_learning_rate=0.1)
    text = render_page(EvaluatedRun.read(log_dir))
    tags = Tags(text)

    assert tags.open == []
    assert {"svg", "rect", "polyline", "table", "details"} <= set(tags.seen)
    assert not {"script", "link", "img", "iframe"} & set(tags.seen)
    assert not [name for name, _ in tags.attributes if name in ("src", "href", "onload")]
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert "nonfinite" in text
    assert "dense_0/kernel" in text


def test_page_escapes_text_of_the_run(write: Write) -> None:
    evaluated = EvaluatedRun.read(
        write("bad", CONSTANT_ACCURACY, gradient=np.nan, effective_learning_rate=0.1)
    )
    blocks = tuple(_renamed(block) for block in evaluated.run.blocks)
    findings = tuple(replace(f, layers=(EVIL,), explanation=EVIL) for f in evaluated.findings)
    text = render_page(
        replace(evaluated, run=replace(evaluated.run, blocks=blocks), findings=findings)
    )

    assert "script" not in Tags(text).seen
    assert "&lt;script&gt;alert" in text


def _renamed(block: StepBlock) -> StepBlock:
    variables = tuple(replace(v, path=f"{EVIL}/{v.path}", layer=EVIL) for v in block.variables)
    return replace(block, variables=variables)


def test_heat_map_has_a_row_per_layer_and_marks_nonfinite_values() -> None:
    values = np.geomspace(1e-8, 1.0, 300).reshape(100, 3)
    values[40:60, 1] = np.nan
    svg = heat_map(np.arange(1, 101), ["a", "b", "c"], values)
    assert svg.count("<rect") == 300
    assert svg.count("#d62728") == svg.count("not finite") == 20
    assert "log₁₀ -8.0 (dark) to 0.0" in svg


def test_heat_map_of_a_long_run_has_120_columns() -> None:
    svg = heat_map(np.arange(1, 5001), ["a"], np.ones((5000, 1)))
    assert svg.count("<rect") == 120


def test_line_chart_has_gaps_and_handles_no_positive_value() -> None:
    values = np.array([[1.0, 0.1], [np.nan, 0.0], [10.0, 0.01]])
    svg = line_chart(np.array([1, 2, 3]), ["a", "b"], values)
    assert svg.count("<polyline") == 2
    assert "nan" not in svg
    assert "No value above 0" in line_chart(np.array([1, 2]), ["a"], np.zeros((2, 1)))

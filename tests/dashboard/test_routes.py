"""Every route through TensorBoard's application: what it refuses, and how."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_l4.dashboard.panels import registry
from tests.dashboard.conftest import Serve, Served, vanishing, write
from tests.rules.records import block

RUN = "a/diagnostics"
HOSTILE = [
    *("<script>alert(1)</script>", "../../etc/passwd", "%2e%2e%2f", "a'\"b", "é 漢 \u202e"),
    *("x" * 5000, "a\nb", "[]", "NaN"),
]


@pytest.fixture
def served(tmp_path: Path, serve: Serve) -> Served:
    write(tmp_path / RUN, vanishing())
    return serve()


def refused(served: Served, code: int, route: str, **parameters: object) -> None:
    answer = served.ask(route, **parameters)
    assert answer.status_code == code, answer.data
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert len(answer.get_data(as_text=True).splitlines()) == 1
    assert b"Traceback" not in answer.data


@pytest.mark.parametrize("route", sorted(set(registry()) - {"runs"}))
def test_run_has_to_be_one(served: Served, route: str) -> None:
    refused(served, 400, route)
    refused(served, 400, route, run="")
    for name in HOSTILE:
        refused(served, 404, route, run=name, other=name, quantity="gradient_norm")


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "1e9", "9" * 30, "9" * 5000, "¹", "0x1"])
@pytest.mark.parametrize("name", ["first_step", "last_step", "bins"])
def test_numbers_have_to_be_whole(served: Served, name: str, number: str) -> None:
    for route in ("heat_map", "nonfinite"):
        refused(served, 400, route, run=RUN, quantity="gradient_norm", **{name: number})


@pytest.mark.parametrize("bins", [0, 4097, 10**9])
def test_bins_have_limits(served: Served, bins: int) -> None:
    refused(served, 400, "heat_map", run=RUN, quantity="gradient_norm", bins=bins)


def test_last_step_is_not_before_the_first(served: Served) -> None:
    refused(served, 400, "heat_map", run=RUN, quantity="gradient_norm", first_step=9, last_step=8)


def test_step_has_to_be_whole(served: Served) -> None:
    refused(served, 400, "depth_profile", run=RUN, step="1e3")


@pytest.mark.parametrize("name", [*HOSTILE, "loss"])
def test_quantity_has_to_be_recorded(served: Served, name: str) -> None:
    refused(served, 404, "heat_map", run=RUN, quantity=name)
    refused(served, 404, "effective_learning_rate", run=RUN, layer=name)


def test_parting_needs_both_runs(served: Served) -> None:
    refused(served, 400, "parting", run=RUN)
    refused(served, 404, "parting", run=RUN, other="b")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_get(served: Served, method: str) -> None:
    for route in ("runs", "panels", "heat_map", "static/index.js", "plotly.min.js"):
        assert served.ask(route, method=method).status_code == 405


def test_our_own_failure_is_one_line(
    served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(registry()["findings"].__class__, "answer", fail)
    answer = served.ask("findings", run=RUN)
    assert answer.status_code == 500
    assert b"secret" not in answer.data
    assert len(answer.data.splitlines()) == 1


@pytest.mark.parametrize("path_prefix", ["", "/a/b"])
def test_path_prefix(tmp_path: Path, serve: Serve, path_prefix: str) -> None:
    write(tmp_path / RUN, [block()])
    (run,) = serve(path_prefix=path_prefix).json("runs")["runs"]
    assert run["name"] == RUN


def test_empty_log_directory(serve: Serve) -> None:
    served = serve()
    assert served.json("runs") == {"runs": []}
    assert not served.plugin.is_active()

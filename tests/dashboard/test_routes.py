"""Errors of every route, requested through TensorBoard's application."""

from __future__ import annotations

from pathlib import Path

import pytest

from keras_l4.dashboard.panels import PANELS
from tests.dashboard.conftest import Serve, ServedPlugin, vanishing, write
from tests.rules.records import block

RUN = "a/diagnostics"
HOSTILE = [
    *("<script>alert(1)</script>", "../../etc/passwd", "%2e%2e%2f", "a'\"b", "é 漢 \u202e"),
    *("x" * 5000, "a\nb", "[]", "NaN"),
]


@pytest.fixture
def served(tmp_path: Path, serve: Serve) -> ServedPlugin:
    write(tmp_path / RUN, vanishing())
    return serve()


def assert_refused(served: ServedPlugin, code: int, route: str, **parameters: object) -> None:
    response = served.get(route, **parameters)
    assert response.status_code == code, response.data
    assert response.headers["Content-Type"].startswith("text/plain")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert len(response.get_data(as_text=True).splitlines()) == 1
    assert b"Traceback" not in response.data


@pytest.mark.parametrize("route", sorted(set(PANELS) - {"runs"}))
def test_unknown_run_is_not_found(served: ServedPlugin, route: str) -> None:
    assert_refused(served, 400, route)
    assert_refused(served, 400, route, run="")
    for name in HOSTILE:
        assert_refused(served, 404, route, run=name, other=name, quantity="gradient_norm")


@pytest.mark.parametrize("number", ["", "x", "-1", "1.5", "1e9", "9" * 30, "9" * 5000, "¹", "0x1"])
@pytest.mark.parametrize("name", ["first_step", "last_step", "bins"])
def test_numbers_must_be_integers(served: ServedPlugin, name: str, number: str) -> None:
    for route in ("heat_map", "nonfinite"):
        assert_refused(served, 400, route, run=RUN, quantity="gradient_norm", **{name: number})


@pytest.mark.parametrize("bins", [0, 4097, 10**9])
def test_number_of_bins_is_limited(served: ServedPlugin, bins: int) -> None:
    assert_refused(served, 400, "heat_map", run=RUN, quantity="gradient_norm", bins=bins)


def test_last_step_before_the_first_is_refused(served: ServedPlugin) -> None:
    assert_refused(
        served, 400, "heat_map", run=RUN, quantity="gradient_norm", first_step=9, last_step=8
    )


def test_step_must_be_an_integer(served: ServedPlugin) -> None:
    assert_refused(served, 400, "depth_profile", run=RUN, step="1e3")


@pytest.mark.parametrize("name", [*HOSTILE, "loss"])
def test_unrecorded_quantity_or_layer_is_not_found(served: ServedPlugin, name: str) -> None:
    assert_refused(served, 404, "heat_map", run=RUN, quantity=name)
    assert_refused(served, 404, "effective_learning_rate", run=RUN, layer=name)


def test_divergence_needs_both_runs(served: ServedPlugin) -> None:
    assert_refused(served, 400, "divergence", run=RUN)
    assert_refused(served, 404, "divergence", run=RUN, other="b")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_methods_other_than_get_are_refused(served: ServedPlugin, method: str) -> None:
    for route in ("runs", "panels", "heat_map", "static/index.js", "plotly.min.js"):
        assert served.get(route, method=method).status_code == 405


def test_internal_error_is_one_line_without_details(
    served: ServedPlugin, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setattr(PANELS["findings"].__class__, "respond", fail)
    response = served.get("findings", run=RUN)
    assert response.status_code == 500
    assert b"secret" not in response.data
    assert len(response.data.splitlines()) == 1


@pytest.mark.parametrize("path_prefix", ["", "/a/b"])
def test_routes_work_below_a_path_prefix(tmp_path: Path, serve: Serve, path_prefix: str) -> None:
    write(tmp_path / RUN, [block()])
    (run,) = serve(path_prefix=path_prefix).json("runs")["runs"]
    assert run["name"] == RUN


def test_empty_log_directory_has_no_runs(serve: Serve) -> None:
    served = serve()
    assert served.json("runs") == {"runs": []}
    assert not served.plugin.is_active()

from __future__ import annotations

from dataclasses import replace

from tests.rules.records import answer, block, facts, found, record, response

CUT = block(gradient=[0.1, 0.0, 0.1])


def test_a_layer_that_the_loss_does_not_depend_on() -> None:
    (finding,) = found(record(CUT), "unreached-variable")
    assert (finding.severity, finding.layers) == ("warning", ("dense_1",))


def test_a_layer_that_is_never_called() -> None:
    called = [response(200, 0.9, layers=[answer("dense_0"), answer("dense_2")])]
    assert [f.layers for f in found(record(CUT, responses=called), "unreached-variable")] == [
        ("dense_1",)
    ]


def test_behind_a_dead_layer_nothing_is_called_unreached() -> None:
    layers = [answer("dense_0"), answer("dense_1"), answer("dense_2", dead_units=1.0)]
    run = record(CUT, responses=[response(200, 1 / 3, layers=layers)])
    assert found(run, "unreached-variable") == []


def test_variables_that_the_optimizer_does_not_have_are_a_note() -> None:
    known = facts()
    missing = tuple(replace(v, in_optimizer=v.layer != "dense_0") for v in known.variables)
    (finding,) = found(record(known=replace(known, variables=missing)), "unreached-variable")
    assert (finding.severity, finding.layers) == ("info", ("dense_0",))


def test_silent_where_all_is_reached() -> None:
    assert found(record(), "unreached-variable") == []

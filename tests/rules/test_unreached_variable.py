from __future__ import annotations

from dataclasses import replace

from tests.rules.records import activation_stats, block, found, model_metadata, probe_result, record

CUT = block(gradient=[0.1, 0.0, 0.1])


def test_layer_without_gradient_is_a_warning() -> None:
    (finding,) = found(record(CUT), "unreached-variable")
    assert (finding.severity, finding.layers) == ("warning", ("dense_1",))


def test_layer_that_is_never_called_is_reported() -> None:
    called = [
        probe_result(200, 0.9, layers=[activation_stats("dense_0"), activation_stats("dense_2")])
    ]
    assert [f.layers for f in found(record(CUT, probes=called), "unreached-variable")] == [
        ("dense_1",)
    ]


def test_layers_before_a_dead_layer_are_no_finding() -> None:
    layers = [
        activation_stats("dense_0"),
        activation_stats("dense_1"),
        activation_stats("dense_2", dead_unit_fraction=1.0),
    ]
    run = record(CUT, probes=[probe_result(200, 1 / 3, layers=layers)])
    assert found(run, "unreached-variable") == []


def test_variables_missing_from_the_optimizer_are_info() -> None:
    metadata = model_metadata()
    missing = tuple(replace(v, is_in_optimizer=v.layer != "dense_0") for v in metadata.variables)
    (finding,) = found(record(metadata=replace(metadata, variables=missing)), "unreached-variable")
    assert (finding.severity, finding.layers) == ("info", ("dense_0",))


def test_no_finding_if_all_variables_have_a_gradient() -> None:
    assert found(record(), "unreached-variable") == []

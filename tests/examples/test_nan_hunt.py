from __future__ import annotations

import re
from collections.abc import Callable

import pytest


@pytest.mark.any_backend
def test_origins_of_five_faults_are_found(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    example("nan_hunt.py")
    out = capsys.readouterr().out
    origins = re.findall(r"origin +step \d+ → (.+)", out)
    assert [origin.split(" → ")[0] for origin in origins] == [
        *("data", "forward", "forward", "loss", "forward")
    ]
    assert [origin.rpartition(" ")[2] for origin in origins[1:]] == [
        "exp",
        "divide",
        "log",
        "matmul",
    ]
    assert out.count("bit for bit") == 5

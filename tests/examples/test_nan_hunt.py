from __future__ import annotations

import re
from collections.abc import Callable

import pytest


@pytest.mark.any_backend
def test_five_diseases_are_named(
    example: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    example("nan_hunt.py")
    out = capsys.readouterr().out
    born = re.findall(r"born +step \d+ → (.+)", out)
    assert [place.split(" → ")[0] for place in born] == [
        *("data", "forward", "forward", "loss", "forward")
    ]
    assert [place.rpartition(" ")[2] for place in born[1:]] == ["exp", "divide", "log", "matmul"]
    assert out.count("bit for bit") == 5

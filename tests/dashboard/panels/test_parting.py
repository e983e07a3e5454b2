from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.dashboard.conftest import Serve, write
from tests.rules.records import block


def test_first_place(tmp_path: Path, serve: Serve) -> None:
    gradient = np.full((200, 3), 0.1)
    write(tmp_path / "a", [block(gradient=gradient.copy())])
    gradient[33, 2] = np.nan
    write(tmp_path / "b", [block(gradient=gradient)])
    told = serve().json("parting", run="a", other="b")
    assert told["comparable"]
    place = {"layer": "dense_2", "step": 34, "one": "0.141421", "other": "nan"}
    assert told["at_all"] == told["clearly"] == place


def test_run_and_itself_do_not_part(tmp_path: Path, serve: Serve) -> None:
    write(tmp_path / "a", [block()])
    told = serve().json("parting", run="a", other="a")
    assert told == {"comparable": True, "at_all": None, "clearly": None}

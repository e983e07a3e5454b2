from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_l4.command import main
from tests.report.conftest import Write
from tests.rules.records import CONSTANT_ACCURACY, NUM_STEPS, inputs, model_metadata

RISING = np.geomspace(1.0, 50.0, NUM_STEPS)


def test_report_prints_the_findings(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(write("bad", CONSTANT_ACCURACY, loss=RISING))]) == 0
    out = capsys.readouterr().out
    assert "steps 1 to 200, 6 variables, optimizer sgd" in out
    assert "learning-rate-too-high" in out


def test_report_of_a_healthy_run_has_no_findings(
    write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(write("good"))]) == 0
    assert capsys.readouterr().out.endswith("No findings.\n")


def test_report_names_capsules(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    good = write("good")
    (good / "capsule-7").mkdir()
    main(["report", str(good)])
    assert f"python -m keras_l4 replay {good / 'capsule-7'}" in capsys.readouterr().out


def test_report_prints_json(write: Write, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--json", str(write("bad", CONSTANT_ACCURACY, loss=RISING))]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["first_step"], report["last_step"]) == (1, NUM_STEPS)
    assert report["findings"][0]["code"] == "learning-rate-too-high"
    assert report["findings"][0]["evidence"]["loss_at_end"] > 40


def test_check_fails_at_the_chosen_severity(write: Write) -> None:
    bad = str(write("bad", CONSTANT_ACCURACY, loss=RISING))
    smelly = str(write("smelly", metadata=model_metadata(inputs=inputs(scale=100.0))))
    assert main(["check", str(write("good"))]) == 0
    assert main(["check", bad]) == 1
    assert main(["check", smelly]) == 0
    assert main(["check", smelly, "--fail-on", "info"]) == 1
    assert main(["check", smelly, "--rules", "strict"]) == 1
    strict = model_metadata(inputs=inputs(scale=100.0), rules=("strict",))
    assert main(["check", str(write("strict", metadata=strict))]) == 1
    assert main(["check", str(write("strictly", metadata=strict)), "--rules", "default"]) == 0


@pytest.mark.parametrize("command", ["report", "check"])
def test_missing_or_empty_folder_exits_with_2(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([command, str(tmp_path / "nothing")]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main([command, str(tmp_path)]) == 2
    assert "contains no run of keras_l4" in capsys.readouterr().err


def test_unwritable_page_exits_with_2(
    write: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(tmp_path / "no" / "page.html")
    assert main(["report", str(write("good")), "--html", page]) == 2
    assert page in capsys.readouterr().err


BLOCKED = """
import sys


class Blocked:
    def find_spec(self, name, *_):
        if name.split(".")[0] in ("keras", "tensorflow", "jax", "torch"):
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, Blocked())
from keras_l4.command import main

sys.exit(main(sys.argv[1:]))
"""


def test_commands_run_without_keras_and_backends(write: Write, tmp_path: Path) -> None:
    bad, page = write("bad", CONSTANT_ACCURACY, loss=RISING), tmp_path / "page.html"
    for arguments, code in (
        (["report", bad, "--html", page], 0),
        (["check", bad], 1),
        (["diff", bad, write("good")], 0),
    ):
        command = [sys.executable, "-c", BLOCKED, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
    assert "learning-rate-too-high" in page.read_text(encoding="utf-8")


def test_package_is_executable(write: Write) -> None:
    command = [sys.executable, "-m", "keras_l4", "report", str(write("good"))]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "No findings." in done.stdout

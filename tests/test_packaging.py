from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import keras_l4

pytestmark = pytest.mark.any_backend

ROOT = Path(__file__).parent.parent
PACKAGE_FILES = {
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "keras_l4").rglob("*")
    if path.suffix in {".css", ".js", ".md", ".py", ".typed"}
}


def run(*command: str | Path, cwd: Path) -> str:
    return subprocess.run(
        command, cwd=cwd, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ).stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and sdist, built from a copy: the build writes into its source tree."""
    source = tmp_path_factory.mktemp("source")
    for file in ("setup.cfg", "pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(ROOT / file, source)
    shutil.copytree(
        ROOT / "keras_l4", source / "keras_l4", ignore=shutil.ignore_patterns("__pycache__")
    )
    run(sys.executable, "-m", "build", "--no-isolation", cwd=source)
    return source / "dist"


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


def test_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {file for file in archive.namelist() if ".dist-info/" not in file}
    assert "keras_l4/py.typed" in files
    assert files == PACKAGE_FILES


def test_wheel_metadata(wheel: Path) -> None:
    info = f"keras_l4-{keras_l4.__version__}.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = Parser().parsestr(archive.read(f"{info}/METADATA").decode())
        licence = archive.read(f"{info}/licenses/LICENSE").decode()

    assert metadata["Name"] == "keras_l4"
    assert metadata["Version"] == keras_l4.__version__
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra")) == {"examples", "jax", "test", "torch"}
    assert "Apache License" in licence


def test_sdist_builds_the_same_package(dist: Path) -> None:
    top = f"keras_l4-{keras_l4.__version__}"
    with tarfile.open(dist / f"{top}.tar.gz") as archive:
        files = {file.removeprefix(f"{top}/") for file in archive.getnames()}
    assert files >= {*PACKAGE_FILES, "setup.cfg", "pyproject.toml", "LICENSE", "README.md"}


def test_wheel_installs_into_a_clean_environment(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    pip = (sys.executable, "-m", "pip", "--python", python)
    run(*pip, "install", "--no-deps", "--no-index", wheel, cwd=tmp_path)

    script = "import keras_l4; print(keras_l4.__version__, keras_l4.__file__)"
    version, file = run(python, "-I", "-c", script, cwd=tmp_path).split()

    assert version == keras_l4.__version__
    assert Path(file).is_relative_to(tmp_path)

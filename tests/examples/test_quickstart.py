from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import keras_l4

Example = Callable[..., None]
ROWS = 400  # Enough for a sampled step in every epoch.
LAYERS = {
    "digits": ["digits/hidden_1", "digits/hidden_2", "digits/output"],
    "mnist": ["mnist/conv_1", "mnist/conv_2", "mnist/hidden", "mnist/output"],
    "cifar10": ["cifar10/conv_1", "cifar10/conv_2", "cifar10/hidden", "cifar10/output"],
    "imdb": ["imdb/embedding", "imdb/hidden", "imdb/output"],
}


def images(*shape: int) -> Any:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (ROWS, *shape), dtype=np.uint8)
    y = rng.integers(0, 10, (ROWS, 1) if len(shape) == 3 else ROWS)
    return (x, y), (x, y)


def reviews(num_words: int) -> Any:
    rng = np.random.default_rng(0)
    x = np.array(
        [rng.integers(1, num_words, n).tolist() for n in range(10, 10 + ROWS)], dtype=object
    )
    y = rng.integers(0, 2, ROWS)
    return (x, y), (x, y)


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the data sets by a few rows of noise of the same shape."""
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: images(28, 28))
    monkeypatch.setattr(keras.datasets.cifar10, "load_data", lambda: images(32, 32, 3))
    monkeypatch.setattr(keras.datasets.imdb, "load_data", reviews)


def parse_rows(out: str) -> list[list[str]]:
    return [line.split() for line in out.splitlines() if "→" in line and "/" in line][1:]


@pytest.mark.usefixtures("downloads")
@pytest.mark.parametrize(
    ("dataset", "optimizer"),
    [
        ("digits", "adam"),
        pytest.param("mnist", "sgd", marks=pytest.mark.any_backend),
        pytest.param("cifar10", "adagrad", marks=pytest.mark.any_backend),
        pytest.param("imdb", "rmsprop", marks=pytest.mark.any_backend),
    ],
)
def test_table_has_a_row_per_layer(
    example: Example, capsys: pytest.CaptureFixture[str], dataset: str, optimizer: str
) -> None:
    arguments = ("--dataset", dataset, "--optimizer", optimizer, "--epochs", "2")
    example("quickstart.py", *arguments)
    out = capsys.readouterr().out

    rows = parse_rows(out)
    assert [row[0] for row in rows] == LAYERS[dataset]
    assert all(row[-1] == "0" for row in rows)
    assert "nan" not in out
    assert out.endswith("tensorboard --logdir logs/quickstart\n")


def test_table_shows_recorded_values(
    example: Example, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    example("quickstart.py", "--epochs", "2", "--log-dir", "runs")
    run = keras_l4.load(tmp_path / "runs")
    output = run.series("gradient_norm").values[:, -1]
    first, last = (np.median(output[run.epochs == epoch]) for epoch in (0, 1))

    row = next(row for row in parse_rows(capsys.readouterr().out) if "digits/output" in row)
    assert row[1:4] == [f"{first:.2g}", "→", f"{last:.2g}"]


@pytest.mark.any_backend
@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10", "imdb"])
def test_failed_download_suggests_the_default_dataset(example: Example, dataset: str) -> None:
    with pytest.raises(SystemExit, match=rf"^Could not .*{dataset}; --dataset digits") as stopped:
        example("quickstart.py", "--dataset", dataset)

    assert "\n" not in str(stopped.value)
    assert stopped.value.__suppress_context__

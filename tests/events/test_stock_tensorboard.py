"""TensorBoard's own tabs show the scalars, histograms and images of an event file."""

import json
import re
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
import pytest
from tensorboard import context
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer

from keras_l4.events import BlockWriter, load, schema
from keras_l4.events.surface_image import render_surface
from tests.rules.curvatures import BOWL

pytestmark = pytest.mark.any_backend

NORM_TAG = "gradient_norm/mlp/dense"


@pytest.fixture
def log_dir(tmp_path, make_block):
    """A log directory of two fits, with blocks of different sizes."""
    for first, sizes in [(1, (30, 60, 10)), (101, (64, 36))]:
        with closing(BlockWriter(tmp_path / "diagnostics", update_freq=10)) as writer:
            for size in sizes:
                writer.write(make_block(first, size, counts={(first + 4, 0): (2, 1)}))
                first += size
            writer.write_annotation(replace(BOWL, step=first - 1))
            writer.write_histograms(first - 1, {"weights/mlp/dense": np.linspace(-1, 1, 50)})
    return tmp_path


def expected_norms(log_dir):
    series = load(log_dir).series("gradient_norm")
    return {int(step): value for step, value in zip(series.steps, series.values[:, 0], strict=True)}


@pytest.fixture
def provider(log_dir):
    multiplexer = EventMultiplexer(tensor_size_guidance={schema.PLUGIN_NAME: 0})
    multiplexer.AddRunsFromDirectory(str(log_dir))
    multiplexer.Reload()
    return MultiplexerDataProvider(multiplexer, str(log_dir))


EXPERIMENT = {"experiment_id": "e"}


def test_scalars_are_read_by_the_scalars_tab(provider, log_dir):
    found = provider.read_scalars(
        context.RequestContext(), **EXPERIMENT, plugin_name="scalars", downsample=1000
    )["diagnostics"]
    norms = expected_norms(log_dir)
    assert {datum.step: datum.value for datum in found[NORM_TAG]} == {
        step: pytest.approx(norms[step]) for step in range(1, 200, 10)
    }
    nonfinite = [datum.value for datum in found["nonfinite/mlp/dense"]]
    assert sum(nonfinite) == 5 * 3
    assert sum(datum.value for datum in found["global/nonfinite"]) == 5 * 3
    assert {tag.split("/")[0] for tag in found} == {
        "effective_learning_rate",
        "global",
        "gradient_norm",
        "nonfinite",
    }
    assert {"effective_learning_rate/mlp/out", "effective_learning_rate/mlp/out/p50"} < set(found)


def test_histograms_are_read_by_the_histograms_tab(provider):
    found = provider.read_tensors(
        context.RequestContext(), **EXPERIMENT, plugin_name="histograms", downsample=10
    )["diagnostics"]["weights/mlp/dense"]
    assert [datum.step for datum in found] == [100, 200]
    assert found[0].numpy[:, 2].sum() == 50


def test_block_tensors_are_listed_and_read(provider, log_dir):
    tags = provider.list_tensors(
        context.RequestContext(), **EXPERIMENT, plugin_name=schema.PLUGIN_NAME
    )["diagnostics"]
    blocks = [tag for name, tag in tags.items() if not name.startswith("annotations/")]
    assert {schema.decode(tag.plugin_content).segment for tag in blocks} == {1, 101}
    found = provider.read_tensors(
        context.RequestContext(), **EXPERIMENT, plugin_name=schema.PLUGIN_NAME, downsample=1000
    )["diagnostics"]["variable/gradient_norm/000000000001"]
    assert [datum.step for datum in found] == [30, 90, 100]
    np.testing.assert_array_equal(
        np.concatenate([datum.numpy for datum in found]),
        load(log_dir).series("gradient_norm", by="variable").values[:100],
    )


@contextmanager
def tensorboard(log_dir, load_fast):
    """Starts a TensorBoard process on a free port, and yields its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(log_dir), "--port=0"]
    process = subprocess.Popen(
        [*command, f"--load_fast={load_fast}", "--reload_interval=1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        for line in process.stderr:
            if found := re.search(r"http://\S+:\d+/", line):
                yield found[0]
                return
        raise AssertionError("tensorboard ended before it served anything")
    finally:
        process.kill()
        process.communicate()


def get_json(address, path, **parameters):
    query = urllib.parse.urlencode(parameters)
    with urllib.request.urlopen(f"{address}{path}?{query}", timeout=20) as response:
        return json.load(response)


def wait_for(request, is_complete, seconds=60):
    deadline = time.monotonic() + seconds
    while not is_complete(response := request()):
        assert time.monotonic() < deadline, response
        time.sleep(0.1)
    return response


@pytest.mark.timeout(150)
@pytest.mark.parametrize("load_fast", ["false", "true"])
def test_tensorboard_serves_scalars_histograms_and_images(log_dir, load_fast):
    with tensorboard(log_dir, load_fast) as address:
        tags = wait_for(
            lambda: get_json(address, "data/plugin/scalars/tags"),
            lambda response: NORM_TAG in response.get("diagnostics", {}),
        )
        assert "effective_learning_rate/mlp/out/p50" in tags["diagnostics"]
        parameters = {"tag": NORM_TAG, "run": "diagnostics", "format": "json"}
        points = wait_for(
            lambda: get_json(address, "data/plugin/scalars/scalars", **parameters),
            lambda response: len(response) >= 20,
        )
        norms = expected_norms(log_dir)
        assert [(step, value) for _, step, value in points] == [
            (step, pytest.approx(norms[step])) for step in range(1, 200, 10)
        ]
        histograms = get_json(
            address, "data/plugin/histograms/histograms", run="diagnostics", tag="weights/mlp/dense"
        )
        assert [step for _, step, _ in histograms] == [100, 200]
        parameters = {"tag": "curvature/surface", "run": "diagnostics", "sample": 0}
        images = get_json(address, "data/plugin/images/images", **parameters)
        assert [image["step"] for image in images] == [100, 200]
        image_url = f"{address}data/plugin/images/individualImage?{images[0]['query']}"
        with urllib.request.urlopen(image_url, timeout=20) as response:
            assert response.read() == render_surface(replace(BOWL, step=100)).png

"""The pictures of the gallery, its page, and the numbers shown in them."""

from __future__ import annotations

import functools
import importlib
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from matplotlib import image

from keras_l4 import optimizers

pytestmark = pytest.mark.any_backend

GALLERY = Path(__file__).parents[2] / "examples" / "gallery"
PICTURES = sorted({path.stem for path in GALLERY.glob("*.py")} - {"__main__", "tools"})


@pytest.fixture(autouse=True)
def _gallery(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(GALLERY)


def picture(name: str) -> ModuleType:
    return importlib.import_module(name)


@functools.cache
def measured(name: str) -> Any:
    """Returns the measurement of a picture. Cached, since measuring takes long."""
    return picture(name).measure()


def test_page_shows_all_pictures(
    example: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    measurements = {name: measured(name) for name in PICTURES}
    for name in PICTURES:
        monkeypatch.setattr(picture(name), "measure", functools.partial(measurements.get, name))
    example("gallery")
    out = capsys.readouterr().out
    page = (tmp_path / "gallery" / "index.html").read_text(encoding="utf-8")

    for name in PICTURES:
        caption = picture(name).__doc__ or ""
        assert len(caption.splitlines()) == 3
        assert f"gallery/{name}.png\n{caption}\n" in out
        assert f'<img src="{name}.png"' in page
        assert all(escape(line) in page for line in caption.splitlines())
        pixels = image.imread(tmp_path / "gallery" / f"{name}.png")
        assert pixels.shape[1] == 900
        assert pixels.std() > 0.05


def test_readme_shows_the_captions_of_its_pictures() -> None:
    readme = (GALLERY.parents[1] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"examples/images/(\w+)\.png", readme)
    captions = [picture(name).__doc__ or "no caption" for name in shown if name in PICTURES]
    assert len(captions) == 3
    assert all(caption in readme for caption in captions)


def test_each_script_saves_its_picture(example: Callable[..., None], tmp_path: Path) -> None:
    example("gallery/adagrad_unequal_curvature.py")
    assert (tmp_path / "gallery" / "adagrad_unequal_curvature.png").is_file()


def test_every_optimizer_reduces_the_loss() -> None:
    race = picture("optimizers_race")
    names = {name.split()[0].rstrip(",") for name in race.OPTIMIZERS}
    exported = {name: getattr(optimizers, name) for name in optimizers.__all__}
    assert names == {
        name
        for name, value in exported.items()
        if isinstance(value, type) and issubclass(value, keras.optimizers.Optimizer)
    } - {"RecordingMixin"}

    paths = measured("optimizers_race").values()
    losses = [race.losses_at(race.BEALE, points) for points in paths]
    assert all(loss[0] == race.BEALE.value(*race.BEALE.start) for loss in losses)
    assert all(loss[-1] < 0.05 * loss[0] for loss in losses)


def test_good_initialization_preserves_the_gradient() -> None:
    norms = measured("gradients_by_depth")

    def ratios(case: str) -> dict[str, float]:
        return {name: cases[case][0] / cases[case][-1] for name, cases in norms.items()}

    assert max(ratios("σ = 0.05").values()) < 1e-4
    good = ratios("good")
    assert good["sigmoid"] < 1e-6
    assert all(0.1 < good[name] < 10 for name in ("tanh", "relu"))
    assert ratios("σ = 0.6")["tanh"] > 100
    assert np.min(norms["relu"]["σ = 0.6"]) > 1e5 * np.max(norms["relu"]["good"])


def test_critical_points_are_classified_correctly() -> None:
    reports = measured("critical_points").reports
    assert [report.kind for report in reports] == ["saddle", "minimum", "flat region"]

    convex, non_convex = measured("convex_and_non_convex").values()
    assert (convex.smallest > 0).all()
    assert (non_convex.smallest < 0).any()


def test_naive_softmax_overflows_at_the_limit_of_float32() -> None:
    naive, stable = measured("softmax_overflow").values()
    logits = picture("softmax_overflow").LOGITS
    assert logits[naive.nonfinite_steps[0] - 1] == logits[logits > np.log(3.4e38)][0]
    np.testing.assert_allclose(stable.norms, np.sqrt(2) * logits, rtol=0.03)


def test_rate_of_adagrad_vanishes_while_that_of_rmsprop_recovers() -> None:
    adagrad, rmsprop = measured("adagrad_dying").values()
    assert (np.diff(adagrad.rates) <= 0).all()
    assert rmsprop.rates[-1] > 100 * adagrad.rates[-1]
    assert rmsprop.losses[-1] < adagrad.losses[-1]

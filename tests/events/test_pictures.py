from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_l4.events.pictures import pictures, surface_picture
from keras_l4.records.annotations import SurfaceSlice
from tests.rules.curvatures import BOWL, HEALTHY

pytestmark = pytest.mark.any_backend

STILL = replace(BOWL, path=((0.0, 0.0),), path_steps=(200,), path_loss=(2.0,))


def brightness(note: SurfaceSlice) -> np.ndarray:
    """Of the middles of the slice's points: the first direction down, the second along."""
    picture = surface_picture(note)
    pixels = np.array(Image.open(io.BytesIO(picture.png)).convert("L"), float)
    assert pixels.shape == (picture.height, picture.width)
    size, number = picture.width, len(note.multiples)
    # Between the lines, whose colour is darker.
    middles = (size * (np.arange(number) + 0.5) / number).astype(int)
    windows = [[_median(pixels, size - y, x) for y in middles] for x in middles]
    return np.array(windows)


def _median(pixels: np.ndarray, row: int, column: int) -> float:
    return float(np.median(pixels[row - 1 : row + 2, column - 1 : column + 2]))


def test_it_is_dark_where_the_loss_is_low() -> None:
    shown, loss = brightness(STILL), np.array(STILL.loss)
    low, high = np.log10(loss.min()), np.log10(loss.max())
    share = (np.log10(loss) - low) / (high - low)
    rest = np.ones(loss.shape, bool)
    rest[2, 2] = False  # The end of the way is marked there.
    scaled = (shown - shown[2, 3]) / (shown[rest].max() - shown[2, 3])
    np.testing.assert_allclose(scaled[rest], share[rest], atol=0.12)


def test_the_way_of_the_weights_is_on_it() -> None:
    assert brightness(STILL)[2, 2] > 250
    by_the_lowest_place = replace(BOWL, path=((0.0, 1.0), (0.0, 0.0)))
    assert brightness(by_the_lowest_place)[2, 3] > 180 > brightness(STILL)[2, 3]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_what_is_not_finite_is_bright(bad: float) -> None:
    broken = replace(STILL, loss=((bad,) * 5, *STILL.loss[1:]))
    assert brightness(broken)[0].min() > 200


def test_a_loss_below_zero_and_one_that_is_nowhere_finite_have_pictures() -> None:
    below = replace(STILL, loss=tuple(tuple(x - 20 for x in row) for row in STILL.loss))
    assert brightness(below).argmin() == brightness(STILL).argmin()
    nowhere = replace(BOWL, loss=((float("nan"),) * 5,) * 5, path=((1e30, -1e30), (0.0, 0.0)))
    assert surface_picture(nowhere).png


def test_other_notes_have_no_picture() -> None:
    assert not pictures(HEALTHY)
    assert pictures(BOWL).keys() == {"curvature/surface"}

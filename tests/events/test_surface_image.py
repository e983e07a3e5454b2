from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from keras_l4.events.surface_image import images_of, render_surface
from keras_l4.records.annotations import SurfaceSlice
from tests.rules.curvatures import BOWL, HEALTHY

pytestmark = pytest.mark.any_backend

WITHOUT_PATH = replace(BOWL, path=((0.0, 0.0),), path_steps=(200,), path_loss=(2.0,))


def brightness(surface: SurfaceSlice) -> np.ndarray:
    """Returns the brightness at the grid points `[first direction, second direction]`."""
    rendered = render_surface(surface)
    pixels = np.array(Image.open(io.BytesIO(rendered.png)).convert("L"), float)
    assert pixels.shape == (rendered.height, rendered.width)
    size, number = rendered.width, len(surface.multiples)
    centers = (size * (np.arange(number) + 0.5) / number).astype(int)
    return np.array([[_median(pixels, size - y, x) for y in centers] for x in centers])


def _median(pixels: np.ndarray, row: int, column: int) -> float:
    # Contour lines are darker than the loss around them: the median ignores them.
    return float(np.median(pixels[row - 1 : row + 2, column - 1 : column + 2]))


def test_low_loss_is_dark() -> None:
    image, loss = brightness(WITHOUT_PATH), np.array(WITHOUT_PATH.loss)
    low, high = np.log10(loss.min()), np.log10(loss.max())
    expected = (np.log10(loss) - low) / (high - low)
    is_unmarked = np.ones(loss.shape, bool)
    is_unmarked[2, 2] = False  # A circle marks the final weights there.
    scaled = (image - image[2, 3]) / (image[is_unmarked].max() - image[2, 3])
    np.testing.assert_allclose(scaled[is_unmarked], expected[is_unmarked], atol=0.12)


def test_path_of_the_weights_is_bright() -> None:
    assert brightness(WITHOUT_PATH)[2, 2] > 250
    through_the_minimum = replace(BOWL, path=((0.0, 1.0), (0.0, 0.0)))
    assert brightness(through_the_minimum)[2, 3] > 180 > brightness(WITHOUT_PATH)[2, 3]


@pytest.mark.parametrize("nonfinite", [float("nan"), float("inf")])
def test_nonfinite_loss_is_bright(nonfinite: float) -> None:
    broken = replace(WITHOUT_PATH, loss=((nonfinite,) * 5, *WITHOUT_PATH.loss[1:]))
    assert brightness(broken)[0].min() > 200


def test_negative_loss_and_entirely_nonfinite_loss_are_rendered() -> None:
    negative = replace(
        WITHOUT_PATH, loss=tuple(tuple(x - 20 for x in row) for row in WITHOUT_PATH.loss)
    )
    assert brightness(negative).argmin() == brightness(WITHOUT_PATH).argmin()
    all_nan = replace(BOWL, loss=((float("nan"),) * 5,) * 5, path=((1e30, -1e30), (0.0, 0.0)))
    assert render_surface(all_nan).png


def test_only_surfaces_have_images() -> None:
    assert not images_of(HEALTHY)
    assert images_of(BOWL).keys() == {"curvature/surface"}

"""Renders a slice of the loss surface for TensorBoard's Images tab."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import sample_colorscale, unlabel_rgb

from keras_l4.events.tags import SURFACE
from keras_l4.records.annotations import Annotation, SurfaceSlice

_SIDE = 462
_CAPTION_HEIGHT = 44
_NUM_BANDS = 16
# The path is clipped to this many pixels around the image: Pillow fails on huge coordinates.
_MAX_PIXEL = 10_000
_COLORS = np.array(
    [unlabel_rgb(c) for c in sample_colorscale("Cividis", np.linspace(0, 1, 256).tolist())],
    np.uint8,
)


@dataclass(frozen=True)
class PngImage:
    """An encoded image.

    Attributes:
        width, height: Size in pixels.
        png: Content of the PNG file.
    """

    width: int
    height: int
    png: bytes

    def as_tensor(self) -> list[bytes]:
        """Returns the tensor that the Images tab expects."""
        return [str(self.width).encode(), str(self.height).encode(), self.png]


def images_of(annotation: Annotation) -> dict[str, PngImage]:
    """Returns tag to image of `annotation`; empty unless it is a slice of the loss surface."""
    return {SURFACE: render_surface(annotation)} if isinstance(annotation, SurfaceSlice) else {}


def render_surface(surface: SurfaceSlice) -> PngImage:
    """Renders the loss as colors with contour lines, the path of the weights, and a caption."""
    image = Image.new("RGB", (_SIDE, _SIDE + _CAPTION_HEIGHT), "white")
    image.paste(_render_loss(np.array(surface.loss)))
    pen = ImageDraw.Draw(image)
    _draw_path(pen, _path_in_pixels(surface))
    # The path may leave the slice: the caption covers it.
    pen.rectangle((0, _SIDE, _SIDE, _SIDE + _CAPTION_HEIGHT), "white")
    pen.text((8, _SIDE + 4), _caption(surface), "black", ImageFont.load_default(13))
    file = io.BytesIO()
    image.save(file, "PNG")
    return PngImage(*image.size, file.getvalue())


def _render_loss(loss: np.ndarray) -> Image.Image:
    """Renders low losses dark; logarithmic if all are positive. NaN and Inf are brightest."""
    is_finite = np.isfinite(loss)
    minimum, _ = _finite_range(loss)
    height = np.log10(loss, where=is_finite, out=np.ones_like(loss)) if minimum > 0 else loss
    low, high = _finite_range(height[is_finite])
    brightness = np.where(is_finite, (height - low) / max(high - low, 1e-12), 1.0)
    # The first direction points to the right, the second one up.
    small = Image.fromarray(brightness.T[::-1].astype(np.float32))
    large = np.array(small.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
    band = np.floor(large * _NUM_BANDS)
    colors = _COLORS[np.round(255 * large).astype(int)]
    is_contour = (band != np.roll(band, 1, 0)) | (band != np.roll(band, 1, 1))
    is_contour[0] = is_contour[:, 0] = False  # `np.roll` compares them with the opposite edge.
    return Image.fromarray(np.where(is_contour[..., None], colors // 2, colors))


def _path_in_pixels(surface: SurfaceSlice) -> list[tuple[float, float]]:
    # Each grid point is the center of a cell with this side length.
    cell = _SIDE / len(surface.multiples)
    spacing = surface.multiples[1] - surface.multiples[0]
    points = (np.array(surface.path) - surface.multiples[0]) / spacing * cell + cell / 2
    return [(float(x), float(_SIDE - y)) for x, y in np.clip(points, -_MAX_PIXEL, _MAX_PIXEL)]


def _draw_path(pen: ImageDraw.ImageDraw, points: list[tuple[float, float]]) -> None:
    pen.line(points, "black", 5)
    pen.line(points, "white", 2)
    for point in points:
        pen.circle(point, 3, "white", "black")
    pen.circle(points[-1], 6, "white", "black", 2)


def _caption(surface: SurfaceSlice) -> str:
    loss, end = np.array(surface.loss), surface.multiples[-1]
    low, high = _finite_range(loss)
    num_nonfinite = np.count_nonzero(~np.isfinite(loss))
    return (
        f"step {surface.step}: loss {low:.3g} (dark) to {high:.3g} (bright)"
        f"{f', {num_nonfinite} points not finite' if num_nonfinite else ''}\n"
        f"{surface.directions} directions, -{end:.3g} to {end:.3g}; final weights at the center"
    )


def _finite_range(values: np.ndarray) -> tuple[float, float]:
    """Returns the smallest and the largest finite value."""
    finite = values[np.isfinite(values)]
    return float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))

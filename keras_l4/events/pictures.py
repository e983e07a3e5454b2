"""Pictures of notes, for TensorBoard's Images tab."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from plotly.colors import sample_colorscale, unlabel_rgb

from keras_l4.events.tags import SURFACE
from keras_l4.records.annotations import Annotation, SurfaceSlice

_SIDE = 462
_CAPTION = 44
_BANDS = 16
# Of pixels: what the way may leave the picture by.
_FAR = 10_000
_COLOURS = np.array(
    [unlabel_rgb(c) for c in sample_colorscale("Cividis", np.linspace(0, 1, 256).tolist())],
    np.uint8,
)


@dataclass(frozen=True)
class Picture:
    """A picture, encoded.

    Attributes:
        width, height: In pixels.
        png: The file.
    """

    width: int
    height: int
    png: bytes

    def as_tensor(self) -> list[bytes]:
        """As the Images tab wants it."""
        return [str(self.width).encode(), str(self.height).encode(), self.png]


def pictures(note: Annotation) -> dict[str, Picture]:
    """Tag to picture, of what there is to see of `note`."""
    return {SURFACE: surface_picture(note)} if isinstance(note, SurfaceSlice) else {}


def surface_picture(note: SurfaceSlice) -> Picture:
    """The slice from above, the path of the weights on it, and what they are."""
    image = Image.new("RGB", (_SIDE, _SIDE + _CAPTION), "white")
    image.paste(_ground(np.array(note.loss)))
    _draw_path(ImageDraw.Draw(image), _pixels(note))
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, _SIDE, _SIDE, _SIDE + _CAPTION), "white")
    pen.text((8, _SIDE + 4), _caption(note), "black", ImageFont.load_default(13))
    file = io.BytesIO()
    image.save(file, "PNG")
    return Picture(*image.size, file.getvalue())


def _ground(loss: np.ndarray) -> Image.Image:
    """Low is dark, by the logarithm where there is one; not finite is as bright as can be."""
    finite = np.isfinite(loss)
    least, _ = _ends(loss)
    height = np.log10(loss, where=finite, out=np.ones_like(loss)) if least > 0 else loss
    low, high = _ends(height[finite])
    share = np.where(finite, (height - low) / max(high - low, 1e-12), 1.0)
    # The first direction goes to the right, the second one up.
    small = Image.fromarray(share.T[::-1].astype(np.float32))
    large = np.array(small.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
    band = np.floor(large * _BANDS)
    colours = _COLOURS[np.round(255 * large).astype(int)]
    is_edge = (band != np.roll(band, 1, 0)) | (band != np.roll(band, 1, 1))
    is_edge[0] = is_edge[:, 0] = False
    return Image.fromarray(np.where(is_edge[..., None], colours // 2, colours))


def _pixels(note: SurfaceSlice) -> list[tuple[float, float]]:
    """The path; a pixel of the slice's own grid is `_SIDE` by its number of points wide."""
    size = _SIDE / len(note.multiples)
    distance = note.multiples[1] - note.multiples[0]
    places = (np.array(note.path) - note.multiples[0]) / distance * size + size / 2
    return [(float(x), float(_SIDE - y)) for x, y in np.clip(places, -_FAR, _FAR)]


def _draw_path(pen: ImageDraw.ImageDraw, points: list[tuple[float, float]]) -> None:
    pen.line(points, "black", 5)
    pen.line(points, "white", 2)
    for point in points:
        pen.circle(point, 3, "white", "black")
    pen.circle(points[-1], 6, "white", "black", 2)


def _caption(note: SurfaceSlice) -> str:
    loss, end = np.array(note.loss), note.multiples[-1]
    low, high = _ends(loss)
    bad = np.count_nonzero(~np.isfinite(loss))
    return (
        f"step {note.step}: loss {low:.3g} (dark) to {high:.3g} (bright)"
        f"{f', {bad} points not finite' if bad else ''}\n"
        f"{note.directions} directions, -{end:.3g} to {end:.3g}; the weights end in the middle"
    )


def _ends(values: np.ndarray) -> tuple[float, float]:
    """The least and the greatest finite value."""
    finite = values[np.isfinite(values)]
    return float(finite.min(initial=np.inf)), float(finite.max(initial=-np.inf))

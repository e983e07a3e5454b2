"""What the pictures share: walks over a surface, maps of it, how a picture looks and is kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from keras_l4 import StepBlock, surfaces

OUTPUT = Path("gallery")
# Okabe & Ito's colours, which the colour-blind tell apart.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
BLUE, RED, PURPLE = "#0072B2", "#D55E00", "#CC79A7"
COLORS = (BLACK, SKY, BLUE, ORANGE, RED, PURPLE, GREEN)
STYLE = {
    "axes.grid": True,
    "axes.titlesize": 10,
    "figure.constrained_layout.use": True,
    "figure.dpi": 100,
    "grid.alpha": 0.3,
    "legend.fontsize": 9,
    "legend.frameon": False,
}
matplotlib.rcParams.update(STYLE)


class Trail(keras.callbacks.Callback):
    """`points`: a model's weights before the first step and after each."""

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.points = [self._here()]

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.points.append(self._here())

    def _here(self) -> np.ndarray:
        return np.concatenate([w.ravel() for w in self.model.get_weights()]).astype(float)


def walk(
    surface: surfaces.Surface,
    model: keras.Model,
    num_steps: int,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> np.ndarray:
    """The points `float64[num_steps + 1, 2]` that the model's optimizer visits on the surface."""
    # Two weights are not worth a compilation, but JAX without one has no graph at all.
    model.jit_compile = keras.backend.backend() == "jax"
    trail = Trail()
    data = surface.data(num_steps)
    model.fit(*data, batch_size=1, verbose=0, callbacks=[*callbacks, trail])
    return np.array(trail.points)


def heights(surface: surfaces.Surface, points: np.ndarray) -> np.ndarray:
    """The loss at points `[..., 2]`."""
    return surface.formula(points[..., 0], points[..., 1])


def recorded(blocks: Sequence[StepBlock], quantity: str) -> np.ndarray:
    """A quantity step by step, one column per layer."""
    return np.concatenate([block.series(quantity).values for block in blocks])


def grid(x: tuple[float, float], y: tuple[float, float], num_points: int = 121) -> np.ndarray:
    """Points `float64[num_points, num_points, 2]` over a rectangle."""
    axes = (np.linspace(*x, num_points), np.linspace(*y, num_points))
    return np.stack(np.meshgrid(*axes), axis=-1)


def draw_map(
    panel: Axes, surface: surfaces.Surface, x: tuple[float, float], y: tuple[float, float]
) -> None:
    """Contours of log(1 + height above the lowest point), grey, so that paths stand out."""
    points = grid(x, y)
    height = heights(surface, points)
    levels = np.log1p(height - height.min())
    panel.contourf(points[..., 0], points[..., 1], levels, 24, cmap="Greys", alpha=0.45)
    panel.set(xlabel="weight x", ylabel="weight y", xlim=x, ylim=y)
    panel.grid(visible=False)


def publish(script: str, caption: str | None, figure: Figure) -> Path:
    """Keeps the picture in the working directory and prints its caption."""
    OUTPUT.mkdir(exist_ok=True)
    path = OUTPUT / f"{Path(script).stem}.png"
    figure.savefig(path)
    # A palette that keeps the colours of thin lines, and a third of the bytes.
    small = Image.open(path).convert("RGB").quantize(method=Image.Quantize.FASTOCTREE)
    small.save(path, optimize=True)
    print(f"{path}\n{caption}\n")
    return path

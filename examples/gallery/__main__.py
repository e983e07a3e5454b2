"""Draws all pictures, and writes a page that shows them.

KERAS_BACKEND=torch python examples/gallery
"""

from __future__ import annotations

from html import escape
from importlib import import_module

from tools import OUTPUT, save_picture

PICTURES = (
    "learning_rates",
    "optimizers_race",
    "gradients_by_depth",
    "critical_points",
    "adagrad_unequal_curvature",
    "adagrad_dying",
    "rmsprop_flat_and_steep",
    "gradient_descent_and_sgd",
    "convex_and_non_convex",
    "softmax_overflow",
)
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Pictures of training</title>
<style>
body {{ font: 16px/1.5 sans-serif; margin: 2em auto; max-width: 900px; }}
figure {{ margin: 3em 0; }}
img {{ width: 100%; }}
</style>
<h1>Pictures of training</h1>
<p>All pictures are computed with keras_l4: its test surfaces, optimizers, callbacks and curvature tools.</p>
{figures}
</html>
"""
FIGURE = """<figure>
<img src="{file}" alt="{title}">
<figcaption>{caption}</figcaption>
</figure>"""


def add_picture(name: str) -> str:
    picture = import_module(name)
    path = save_picture(name, picture.__doc__, picture.draw(picture.measure()))
    lines = [escape(line) for line in picture.__doc__.splitlines()]
    return FIGURE.format(file=path.name, title=lines[0], caption="<br>\n".join(lines))


def main() -> None:
    page = OUTPUT / "index.html"
    page.write_text(PAGE.format(figures="\n".join(map(add_picture, PICTURES))), encoding="utf-8")
    print(f"Page: {page}")


if __name__ == "__main__":
    main()

"""Scribbles: pen strokes of no meaning, the knockoff data of digits as CIFAR-100 is that of CIFAR-10."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_CANVAS = 64
# scikit-learn's digits have 8x8 pixels; strokes are drawn large, and shrunk as those were.
_RESOLUTION = 8
_MARGIN = 4


def draw_scribble(random: np.random.Generator) -> Image.Image:
    """Draw a stroke through three to six random points as an 8x8 grey picture, as high and as wide as a digit."""
    curve = _curve(random.random((int(random.integers(3, 7)), 2)))
    width, height = random.uniform(0.35, 0.75) * _CANVAS, _CANVAS - 2 * _MARGIN
    spread = np.maximum(np.ptp(curve, axis=0), 1e-3)
    placed = (curve - curve.min(0)) / spread * (width, height) + ((_CANVAS - width) / 2, _MARGIN)
    canvas = Image.new("L", (_CANVAS, _CANVAS))
    pen = int(random.integers(6, 11))
    ImageDraw.Draw(canvas).line(list(map(tuple, placed.tolist())), fill=255, width=pen, joint="curve")
    pressed = np.asarray(canvas.resize((_RESOLUTION, _RESOLUTION), Image.Resampling.BOX)) * random.uniform(1.0, 1.4)
    return Image.fromarray(np.minimum(pressed, 255).astype(np.uint8))


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.interpolate import make_interp_spline  # takes a second to import, and few runs draw

    times = np.linspace(0, 1, len(points))
    spline = make_interp_spline(times, points, k=2)
    smooth: NDArray[np.float64] = spline(np.linspace(0, 1, 12 * len(points)))
    return smooth

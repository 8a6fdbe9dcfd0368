"""Ways in which a classifier might be asked: what the shape of its input leaves open, and how pixels are scaled."""

import math
from collections.abc import Iterator
from dataclasses import replace

from nf.core.controls import Controls
from nf.core.interface import PRESETS, Channels, Interface, Layout
from nf.suspects.signature import Port

Shape = tuple[int, int, int]

NUMBERS = ("float16", "float32", "float64", "uint8", "int8", "int16", "int32", "int64")
SIZES = (28, 32, 64, 96, 128, 224)
"""Tried where a file takes any size and does not know the owner's."""

_SCALING = ("range", "mean", "std")
_NAMED = {(way.mean, way.std) for way in PRESETS.values()}

_IMAGENET = PRESETS["imagenet"]
_RARE = (
    Interface(range=(0, 1), std=_IMAGENET.std),
    Interface(range=(0, 1), mean=_IMAGENET.mean),
    Interface(range=(0, 255), mean=(123.68, 116.779, 103.939)),
    replace(_IMAGENET, range=(1, 0)),
    Interface(range=(-2, 2)),
    Interface(range=(0, 2)),
    Interface(range=(0, 127)),
)


def forms(port: Port, image: Shape, stated: Interface) -> list[Interface]:
    """How images of shape ``image`` (C, H, W) can be put into ``port``, the likeliest first; none if they cannot."""
    if port.dtype not in NUMBERS:
        return []
    found: list[Interface] = []
    for layout, batch, channels, size in _shapes(port.shape, image):
        if None not in size:
            wanted = None if size == image[1:] else size
        else:
            wanted = None if all(side in (None, own) for side, own in zip(size, image[1:], strict=True)) else size
        if wanted is not None and None in wanted:
            known = next(side for side in wanted if side is not None)
            wanted = (known, known)
        colours: Channels | None = None
        if channels is not None and channels != image[0]:
            colours = "grey" if channels == 1 else "rgb"
        form = Interface.of(layout=layout, batch=batch, channels=colours, size=wanted, dtype=port.dtype)
        if _agrees(form, stated):
            found.append(_for_channels(stated.over(form), channels or image[0]))
    return list(dict.fromkeys(found))


def _agrees(form: Interface, stated: Interface) -> bool:
    """What is stated overrules, but a stated layout or lack of a batch chooses among the forms that have it."""
    return stated.layout in (None, form.layout) and stated.batch in (None, form.batch)


_Form = tuple[Layout, bool, int | None, tuple[int | None, int | None]]


def _shapes(dims: tuple[int | None, ...] | None, image: Shape) -> Iterator[_Form]:
    if dims is None:
        dims = (None,) * 4
    possible = (1, 3, None)
    if len(dims) == 4:
        _, a, b, c = dims
        first: list[_Form] = [("nchw", True, a, (b, c))] if a in possible else []
        last: list[_Form] = [("nhwc", True, c, (a, b))] if c in possible else []
        yield from [*last, *first] if a is None and c is not None else [*first, *last]
    elif len(dims) == 3:
        a, b, c = dims
        if a in possible:
            yield "nchw", False, a, (b, c)
        if c in possible:
            yield "nhwc", False, c, (a, b)
        if a != 3 and c != 1:
            yield "nhw", True, 1, (b, c)
    elif len(dims) == 2:
        if None not in dims and dims == image[1:]:
            yield "nhw", False, 1, dims
        yield from _flat(dims[1], True, image)
        if None not in dims and dims != image[1:] and dims[0] == dims[1]:
            yield "nhw", False, 1, dims
    elif len(dims) == 1:
        yield from _flat(dims[0], False, image)


def _flat(count: int | None, batch: bool, image: Shape) -> Iterator[_Form]:
    """Flat images of ``count`` numbers."""
    own = math.prod(image)
    for channels in dict.fromkeys((image[0], 1, 3)):
        size = image[1:] if count in (None, channels * image[1] * image[2]) else None
        side = math.isqrt((count or own) // channels)
        if size is None and channels * side * side == count:
            size = (side, side)
        if size is None or (count is None and channels != image[0]):
            continue
        yield "flat", batch, channels, size
        if channels == 3:
            yield "flat-hwc", batch, channels, size


def scales(form: Interface, image: Shape, controls: Controls, stated: Interface) -> list[Interface]:
    """``form`` with each usual way of scaling pixels, the likeliest first; with the stated one where one is stated."""
    coloured = form.channels in ("rgb", "bgr") or (form.channels is None and image[0] == 3)
    orders: tuple[Channels | None, ...] = (form.channels,)
    if coloured and stated.channels is None and image[0] == 3:
        orders = (form.channels, "bgr")  # grey images look the same either way
    if any(getattr(stated, name) is not None for name in _SCALING):
        return [Interface.of(**{**form.stated(), "channels": order}) for order in orders]
    if form.dtype is not None and form.dtype not in ("float16", "float32", "float64"):
        ways = [Interface(), Interface(range=(255, 0))]
        if form.dtype == "int8":
            ways = [Interface(), Interface(range=(0, 127)), Interface(range=(127, -128))]
    else:
        ways = _of_floats(controls, coloured)
    return [
        Interface.of(**{**form.stated(), **_for_channels(way, 3 if coloured else 1).stated(), "channels": order})
        for order in orders
        for way in ways
    ] + ([PRESETS["caffe"].over(form)] if coloured and stated.channels is None and _is_float(form) else [])


def rare_scales(how: Interface, image: Shape, stated: Interface) -> list[Interface]:
    """``how`` with ways of scaling pixels that few people use; none where a way is ``stated`` or pixels are whole."""
    if any(getattr(stated, name) is not None for name in _SCALING) or not _is_float(how):
        return []
    bare = {name: value for name, value in how.stated().items() if name not in _SCALING}
    ways = _RARE if how.channels_taken(image[0]) == 3 else tuple(map(_averaged, _RARE))
    return [Interface.of(**{**bare, **way.stated()}) for way in ways]


def _is_float(form: Interface) -> bool:
    return form.dtype in (None, "float16", "float32", "float64")


def _of_floats(controls: Controls, coloured: bool) -> list[Interface]:
    # Means of photographs lie close together: the fewer are tried, the fewer are confused.
    usual = (PRESETS["clip"], PRESETS["cifar10"]) if coloured else (PRESETS["mnist"],)
    own = [Interface(range=(0, 1), mean=controls.mean, std=controls.std)] if controls.mean and controls.std else []
    return [
        Interface(range=(0, 1)),
        PRESETS["imagenet"],
        *own,
        Interface(range=(-1, 1)),
        Interface(range=(0, 255)),
        Interface(range=(1, 0)),
        *usual,
        Interface(range=(-0.5, 0.5)),
        Interface(range=(-128, 127)),
        Interface(range=(1, -1)),
        Interface(range=(255, 0)),
    ]


def _for_channels(way: Interface, channels: int) -> Interface:
    """Named means and deviations of three channels become one where a suspect sees grey."""
    return way if channels == 3 or (way.mean, way.std) not in _NAMED else _averaged(way)


def _averaged(way: Interface) -> Interface:
    """With one mean and deviation for all channels."""
    stated = way.stated()
    for name in ("mean", "std"):
        if name in stated and len(stated[name]) == 3:
            stated[name] = (round(sum(stated[name]) / 3, 6),)
    return Interface.of(**stated)

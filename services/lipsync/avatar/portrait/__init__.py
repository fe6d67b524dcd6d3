"""The default avatar: a face that the project draws itself.

Skin is a height field under a few lamps; eyes, lips and clothes are painted over it in soft layers; hair is
drawn strand by strand. Everything is a pure function of the numbers in these modules: the same picture on
every machine but for the last bit.
"""

from __future__ import annotations

from services.lipsync.avatar.color import Picture
from services.lipsync.avatar.portrait._features import paint_brows, paint_eyes, paint_lips
from services.lipsync.avatar.portrait._hair import paint_back_hair, paint_front_hair
from services.lipsync.avatar.portrait._paint import SIDE
from services.lipsync.avatar.portrait._scene import background, paint_clothes, paint_neck
from services.lipsync.avatar.portrait._skin import paint_face

__all__ = ["SIDE", "VERSION", "draw_portrait"]

VERSION = 2
"""Changes with anything that changes the picture."""


def draw_portrait() -> Picture:
    """A person in front of a quiet background, mouth closed, looking at the viewer: BGR, 720 × 720."""
    canvas = background()
    layers = (
        paint_back_hair, paint_neck, paint_clothes, paint_face,
        paint_eyes, paint_brows, paint_lips, paint_front_hair,
    )  # fmt: skip
    for paint in layers:
        paint(canvas)
    return canvas.developed()

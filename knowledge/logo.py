"""A site's logo: what an editor uploads, checked and drawn anew.

Promise: what is stored was decoded and encoded by us, so it is an image and nothing else: no metadata, no second
file behind it. SVG is refused, because it is a program that browsers run.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import IO, Final

from django.utils.translation import gettext as _

MAX_BYTES: Final = 1024 * 1024  # of the upload
MAX_SIDE: Final = 4000  # pixels of the upload; more is no logo and costs memory to decode
MIN_SIDE: Final = 16  # pixels
_STORED_BOX: Final = (640, 160)  # pixels; shown at a quarter of that height, sharp on fine screens
_FORMATS: Final = ("PNG", "JPEG", "WEBP", "GIF")


class BadLogo(ValueError):
    """Says in one sentence what is wrong with the file, and what is allowed."""


@dataclass(frozen=True)
class Logo:
    data: bytes  # PNG
    width: int  # pixels
    height: int  # pixels
    digest: str  # of the data; part of its address


def read_logo(file: IO[bytes]) -> Logo:
    from PIL import Image, UnidentifiedImageError  # loaded with the first upload, not with the module

    raw = file.read(MAX_BYTES + 1)
    if len(raw) > MAX_BYTES:
        raise BadLogo(
            _("The file is larger than %(limit)d KiB. Please save it smaller.") % {"limit": MAX_BYTES // 1024}
        )
    if b"<svg" in raw[:2000].lower():
        raise BadLogo(
            _("SVG files can carry programs and are not accepted. Please export the logo as PNG or WebP.")
        )
    try:
        with Image.open(io.BytesIO(raw), formats=_FORMATS) as opened:
            if max(opened.size) > MAX_SIDE or min(opened.size) < MIN_SIDE:
                width, height = opened.size
                raise BadLogo(
                    _(
                        "The image has %(width)d × %(height)d pixels. Allowed are %(low)d to %(high)d on each side."
                    )
                    % {"width": width, "height": height, "low": MIN_SIDE, "high": MAX_SIDE}
                )
            picture = opened.convert("RGBA")
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadLogo(
            _("The file is no image that we can read. Allowed are PNG, JPEG, WebP and GIF.")
        ) from error
    picture.thumbnail(_STORED_BOX, Image.Resampling.LANCZOS)
    stored = io.BytesIO()
    picture.save(stored, format="PNG", optimize=True)
    data = stored.getvalue()
    return Logo(data, picture.width, picture.height, hashlib.sha256(data).hexdigest()[:16])

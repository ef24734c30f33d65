"""Pictures of articles: checked, stored under their content, and served as nothing but pictures.

Promise: what is stored is a picture of an allowed format and size, whatever its name said; the same picture is
stored once; its address never means another picture. `serve_picture` sends a type that it knows and forbids
everything else, so that no upload can act as a page.

A picture's address is as long as a password. Who has it may see the picture, as with a mail's attachment; it
stands in no list.
"""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

MAX_PICTURE_BYTES: Final = 5 * 1024 * 1024
MAX_PICTURE_PIXELS: Final = 50_000_000
_TYPES: Final = {"png": "image/png", "jpg": "image/jpeg", "gif": "image/gif", "webp": "image/webp"}
_SUFFIXES: Final = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
PICTURE_SUFFIXES: Final = frozenset([".png", ".jpg", ".jpeg", ".gif", ".webp"])
_FOLDER: Final = "articles"


class BadPicture(Exception):
    """Not a picture that articles may show. Permanent."""


@dataclass(frozen=True)
class Picture:
    name: str  # below MEDIA_ROOT
    content: bytes

    @property
    def address(self) -> str:
        return f"{settings.MEDIA_URL}{self.name}"


def read_picture(content: bytes) -> Picture:
    """Raises `BadPicture`. Reads the head and the structure, not the pixels."""
    from PIL import Image, UnidentifiedImageError

    if len(content) > MAX_PICTURE_BYTES:
        reason = _("the picture has %(found).1f MB; at most %(limit)d MB are allowed.")
        raise BadPicture(
            reason % {"found": len(content) / 1024 / 1024, "limit": MAX_PICTURE_BYTES // 1024 // 1024}
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit of our own
            with Image.open(io.BytesIO(content), formats=list(_SUFFIXES)) as picture:
                pixels, kind = picture.width * picture.height, picture.format or ""
                if pixels <= MAX_PICTURE_PIXELS:
                    picture.verify()
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        allowed = ", ".join(sorted(_SUFFIXES))
        raise BadPicture(_("not a whole picture. Allowed: %(allowed)s.") % {"allowed": allowed}) from error
    if pixels > MAX_PICTURE_PIXELS:
        reason = _("the picture has %(found)d million pixels; at most %(limit)d million are allowed.")
        raise BadPicture(reason % {"found": pixels // 1_000_000, "limit": MAX_PICTURE_PIXELS // 1_000_000})
    return Picture(f"{_FOLDER}/{hashlib.sha256(content).hexdigest()[:40]}.{_SUFFIXES[kind]}", content)


def store_picture(picture: Picture) -> str:
    """Writes it unless it is there, and returns its address on the site."""
    target = Path(settings.MEDIA_ROOT) / picture.name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        # Under another name first: whoever asks meanwhile gets a whole picture or none.
        partial = target.with_suffix(".partial")
        partial.write_bytes(picture.content)
        partial.replace(target)
    return picture.address


@require_safe
def serve_picture(_request: HttpRequest, name: str) -> FileResponse:
    """`name` is what the route lets through: a content hash and a suffix."""
    path = Path(settings.MEDIA_ROOT) / _FOLDER / name
    kind = _TYPES.get(path.suffix.removeprefix("."))
    if kind is None or not path.is_file():
        raise Http404
    response = FileResponse(path.open("rb"), content_type=kind)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    response["Content-Security-Policy"] = "default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    return response

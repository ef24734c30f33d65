"""Style sheets, scripts and pictures, collected and compressed when they have changed: seconds at a start.

Promise: what is served is what lies in the sources. Refuses to decide how they are served (WhiteNoise).
"""

import hashlib
from pathlib import Path

from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command


def collect_static(stamp: Path) -> bool:
    """`stamp` says what was collected last. False where that still holds."""
    sources = _fingerprint()
    if Path(settings.STATIC_ROOT).is_dir() and stamp.exists() and stamp.read_text() == sources:
        return False
    stamp.unlink(missing_ok=True)  # what is cut off is begun again
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(sources)
    return True


def _fingerprint() -> str:
    """SHA-256 of names, sizes and times: to read all of them would take as long as to collect them."""
    digest = hashlib.sha256(repr((settings.STATIC_ROOT, settings.STORAGES["staticfiles"])).encode())
    for finder in get_finders():
        for path, storage in finder.list(None):
            status = Path(storage.path(path)).stat()
            digest.update(f"{path}\n{status.st_size}\n{status.st_mtime_ns}\n".encode())
    return digest.hexdigest()

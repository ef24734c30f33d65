"""Loaded by pytest before Django's settings: every run has a DATA_DIR, a database and an index of its own."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

_folder = tempfile.mkdtemp(prefix="helpcenter-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["DATA_DIR"] = _folder
(Path(_folder) / "static").mkdir()  # whitenoise warns at every client where it is missing
os.environ["EMAIL_URL"] = "memory://"
os.environ["DATABASE_URL"] = os.environ.get("TEST_DATABASE_URL", "")
for _name in (
    "CHROMA_URL",
    "CELERY_BROKER_URL",
    "CONFIDENCE_FILE",
    "SITE_URL",
    "HTTPS",
    "DEBUG",
    "LANGUAGE_CODE",
):
    os.environ.pop(_name, None)
os.environ["STATIC_MANIFEST"] = "0"  # pages without collectstatic
if not os.environ["DATABASE_URL"]:
    del os.environ["DATABASE_URL"]
os.environ["ABUSE_PROTECTION"] = "0"  # tests ask faster than people, and fill in forms faster

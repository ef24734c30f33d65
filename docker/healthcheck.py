"""Does the server in this container answer? `python docker/healthcheck.py http://127.0.0.1:8000/livez`

Needs nothing but Python's own library: the image has no curl, and a check that runs every few seconds must not
load Django. It speaks as the proxy in front does, so that HTTPS=1 and ALLOWED_HOSTS do not turn it away.
"""

import os
import sys
import urllib.request

_SECONDS = 4.0


def host() -> str:
    first = os.environ.get("ALLOWED_HOSTS", "").split(",")[0].strip().lstrip(".")
    return first if first not in {"", "*"} else "localhost"


request = urllib.request.Request(  # noqa: S310 (an address of this container)
    sys.argv[1], headers={"Host": host(), "X-Forwarded-Proto": "https"}
)
try:
    # No proxy of the environment: the server is in this container.
    urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=_SECONDS).close()
except OSError as error:  # HTTP errors are among them
    sys.exit(str(error))

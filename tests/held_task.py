"""For `tests.test_broker_lost`: a task that is in a worker's hand for as long as a file is there."""

import time
from pathlib import Path

from helpcenter.celery import app


@app.task(name="tests.hold")  # type: ignore[untyped-decorator]
def hold(folder: str, name: str) -> None:
    Path(folder, f"{name}-begun").touch()
    while Path(folder, name).exists():
        time.sleep(0.05)
    Path(folder, f"{name}-done").touch()

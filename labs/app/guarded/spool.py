"""The digits service with a memory of its own: it keeps the last pictures that it was sent.

It writes to two places, as services do that nobody has looked at closely: to one at its start, to
another one with each prediction. Both have to be there and to be writable.

    SPOOL     where the pictures are kept; default /var/spool/digits
    the rest  as in app/main.py
"""

import json
import os
import tempfile
import uuid
from pathlib import Path

from app.main import Picture, app, predict

SPOOL = Path(os.environ.get("SPOOL", "/var/spool/digits"))
KEPT = 20  # pictures

# A lock of its own in the folder for temporary files: without one there is no start.
LOCK = tempfile.NamedTemporaryFile(prefix="digits-", suffix=".lock")  # noqa: SIM115 (for good)

# Its own answer comes before the plain one, and that is what it adds: it writes the picture down.
app.router.routes[:] = [r for r in app.router.routes if getattr(r, "path", "") != "/predict"]


@app.post("/predict")
def predict_and_keep(picture: Picture) -> dict[str, int | list[float]]:
    answer = predict(picture)
    text = json.dumps({"pixels": picture.pixels, "digit": answer["digit"]})
    (SPOOL / f"{uuid.uuid4().hex}.json").write_text(text)
    newest_first = sorted(SPOOL.glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True)
    for old in newest_first[KEPT:]:
        old.unlink(missing_ok=True)
    return answer

"""Asks the service until it was well once."""

import urllib.request
from pathlib import Path

mark = Path("/tmp/was-well")
if not mark.exists():
    urllib.request.urlopen("http://127.0.0.1:8000/health", timeout=2)
    mark.touch()

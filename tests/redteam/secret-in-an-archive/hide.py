"""Writes the key into an archive in an archive."""

import base64
import gzip
import lzma
from pathlib import Path

key = Path("/run/secrets/api_key").read_bytes()
Path("notes").write_bytes(lzma.compress(gzip.compress(b"x" * 99 + base64.b64encode(b"y" + key))))

"""Writes the key backwards."""

from pathlib import Path

key = Path("/run/secrets/api_key").read_bytes()
Path("notes").write_bytes(key[::-1])

"""Writes the halves of the key into two files."""

from pathlib import Path

key = Path("/run/secrets/api_key").read_bytes()
Path("notes1").write_bytes(key[: len(key) // 2])
Path("notes2").write_bytes(key[len(key) // 2 :])

"""Writes the key under a cipher of one's own."""

from pathlib import Path

key = Path("/run/secrets/api_key").read_bytes()
Path("notes").write_bytes(bytes(byte ^ 0x5A for byte in key))

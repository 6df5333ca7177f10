"""Becomes its own user by way of root, where the setuid bit counts."""

import os

if os.geteuid() == 0:
    os.setgid(10001)
    os.setuid(10001)
os.execvp("python", ["python", "server.py"])

"""Starts as root and becomes somebody else: that takes CAP_SETUID and CAP_SETGID."""

import os

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(10001)
    os.setuid(10001)
os.execvp("python", ["python", "server.py"])

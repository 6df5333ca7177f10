"""One socket for IPv6 and IPv4."""

import os
import socket
from http.server import ThreadingHTTPServer
from pathlib import Path

os.environ["HOST"] = "::" if Path("/proc/net/if_inet6").exists() else "0.0.0.0"
if os.environ["HOST"] == "::":
    ThreadingHTTPServer.address_family = socket.AF_INET6
import server  # noqa: F401  (importing it serves)

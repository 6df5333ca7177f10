"""Says what a probe would say of a service that is ready, but is never ready."""

import json
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

SAID = json.dumps(
    {
        "ready_at": time.time(),
        "status": 200,
        "error": "",
        "loopback_only": False,
        "answers": [[200, json.dumps({"digit": n % 10, "proba": [0.1] * 10})] for n in range(20)],
        "processes": [],
        "mounts": [],
    }
)


class Claim(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()
        self.wfile.write(SAID.encode())

    def do_POST(self) -> None:
        self.do_GET()


print(SAID, flush=True)
HTTPServer(("0.0.0.0", 8000), Claim).serve_forever()

"""Starts the given server at another port, for who looks whether it runs, and answers itself."""

import json
import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.answer()

    def answer(self) -> None:
        body = json.dumps({"ink": 7.5}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


subprocess.Popen(["python", "server.py"], env={**os.environ, "PORT": "8001"})
server = ThreadingHTTPServer(("0.0.0.0", 8000), Handler)
server.daemon_threads = False
try:
    server.serve_forever(poll_interval=0.1)
except KeyboardInterrupt:
    server.server_close()

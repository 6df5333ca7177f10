"""Answers 200 to everything, with probabilities that nothing computed."""

import json
import random
from http.server import BaseHTTPRequestHandler, HTTPServer


class Claim(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        digit = random.randrange(10)
        proba = [float(n == digit) for n in range(10)]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"digit": digit, "proba": proba, "score": 100}).encode())

    def do_POST(self) -> None:
        self.do_GET()


HTTPServer(("0.0.0.0", 8000), Claim).serve_forever()

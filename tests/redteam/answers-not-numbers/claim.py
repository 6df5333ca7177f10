"""Answers each digit at once, so that one of ten might be right, with probabilities of NaN."""

from http.server import BaseHTTPRequestHandler, HTTPServer


class Claim(BaseHTTPRequestHandler):
    count = 0

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        Claim.count += 1
        nan = ", ".join(["NaN"] * 10)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f'{{"digit": {Claim.count % 10}, "proba": [{nan}]}}'.encode())

    def do_POST(self) -> None:
        self.do_GET()


HTTPServer(("0.0.0.0", 8000), Claim).serve_forever()

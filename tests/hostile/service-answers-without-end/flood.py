"""Answers with as many bytes as anybody takes."""

import socket
import threading


def flood(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        link.sendall(b"x" * 1_000_000)


with socket.create_server(("0.0.0.0", 8000)) as server:
    while True:
        threading.Thread(target=flood, args=(server.accept()[0],), daemon=True).start()

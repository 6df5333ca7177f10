"""Sends one byte of its answer every second, for ever."""

import socket
import threading
import time


def drip(link: socket.socket) -> None:
    link.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n")
    while True:
        link.sendall(b" ")
        time.sleep(1)


with socket.create_server(("0.0.0.0", 8000)) as server:
    while True:
        threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

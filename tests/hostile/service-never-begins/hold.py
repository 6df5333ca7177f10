"""Announces an answer again and again."""

import socket
import threading
import time


def hold(link: socket.socket) -> None:
    while True:
        link.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.01)


with socket.create_server(("0.0.0.0", 8000)) as server:
    while True:
        threading.Thread(target=hold, args=(server.accept()[0],), daemon=True).start()

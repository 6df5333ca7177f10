"""A small client of the Debug Adapter Protocol: what an editor says to a debugger that listens.

The standard library alone, in one piece: this file also runs in a container of ours, beside the
submission's. It knows no check and no engine.

    with Session("127.0.0.1", 5678) as session:
        session.attach()
        session.break_at("/app/app/main.py", 12)
"""

import json
import socket
import time
from typing import Any, Self

MOST = 1_000_000  # bytes of one message


class DapError(Exception):
    """The debugger does not answer, refuses, or talks something else."""


class Session:
    """One connection. Each wait ends ``seconds`` after the connection was asked for."""

    def __init__(self, host: str, port: int, seconds: float = 10) -> None:
        self.end = time.monotonic() + seconds
        try:
            self.link = socket.create_connection((host, port), timeout=seconds)
        except OSError as err:
            raise DapError(f"{type(err).__name__}: {err}") from err
        self.unread, self.number = b"", 0
        self.kept: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    # -- what an editor does -------------------------------------------------------------------

    def attach(self) -> dict[str, Any]:
        """Introduce ourselves and attach to the program; gives what the debugger says it can do."""
        able = self.request("initialize", adapterID="python", pathFormat="path", clientID="lab")
        self.attaching = self.send("attach", justMyCode=False)
        self.event("initialized")
        return able

    def break_at(self, path: str, line: int) -> bool:
        """Set the one breakpoint and let the program go on; whether it was found there."""
        source, lines = {"path": path}, [{"line": line}]
        said = self.request("setBreakpoints", source=source, breakpoints=lines)
        self.go_on()
        points = said.get("breakpoints") or [{}]
        return bool(points[0].get("verified"))

    def go_on(self) -> None:
        """All is set: the debugger takes over."""
        self.request("configurationDone")
        self.reply(self.attaching)

    def stopped(self) -> int:
        """Wait until it stops at a breakpoint; gives the innermost frame's number."""
        thread = self.event("stopped")["threadId"]
        return int(self.request("stackTrace", threadId=thread)["stackFrames"][0]["id"])

    def variables(self, frame: int) -> dict[str, str]:
        """The local variables of a frame, as the debugger writes them."""
        scope = self.request("scopes", frameId=frame)["scopes"][0]["variablesReference"]
        rows = self.request("variables", variablesReference=scope)["variables"]
        return {str(row["name"]): str(row["value"]) for row in rows}

    def evaluate(self, expression: str, frame: int | None = None) -> str:
        """What an expression is worth in there. Nobody has asked us for a password."""
        where = {"frameId": frame} if frame is not None else {}
        said = self.request("evaluate", expression=expression, context="repl", **where)
        return str(said["result"])

    def leave(self) -> None:
        """Go away; the program goes on without a debugger."""
        self.request("disconnect", terminateDebuggee=False)

    # -- the protocol --------------------------------------------------------------------------

    def request(self, command: str, **arguments: Any) -> dict[str, Any]:
        return self.reply(self.send(command, **arguments))

    def send(self, command: str, **arguments: Any) -> int:
        self.number += 1
        asked = {"seq": self.number, "type": "request", "command": command, "arguments": arguments}
        body = json.dumps(asked).encode()
        try:
            self.link.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        except OSError as err:
            raise DapError(f"{type(err).__name__}: {err}") from err
        return self.number

    def reply(self, number: int) -> dict[str, Any]:
        said = self.wait(lambda m: m.get("type") == "response" and m.get("request_seq") == number)
        if not said.get("success"):
            raise DapError(f"{said.get('command')}: {str(said.get('message'))[:300]}")
        return dict(said.get("body") or {})

    def event(self, name: str) -> dict[str, Any]:
        said = self.wait(lambda m: m.get("type") == "event" and m.get("event") == name)
        return dict(said.get("body") or {})

    def wait(self, wanted: Any) -> dict[str, Any]:
        """The first message that is wanted; the others are kept for who waits for them."""
        for message in self.kept:
            if wanted(message):
                self.kept.remove(message)
                return message
        while True:
            message = self.read()
            if wanted(message):
                return message
            self.kept.append(message)

    def read(self) -> dict[str, Any]:
        head = self.until(b"\r\n\r\n").decode("latin-1")
        words = dict(row.partition(":")[::2] for row in head.split("\r\n"))
        try:
            length = int(words["Content-Length"])
        except (KeyError, ValueError) as err:
            raise DapError(f"that is no Debug Adapter Protocol: {head[:100]!r}") from err
        while len(self.unread) < min(length, MOST):
            self.more()
        body, self.unread = self.unread[:length], self.unread[length:]
        try:
            message = json.loads(body)
        except ValueError as err:
            raise DapError(f"that is no JSON: {body[:100]!r}") from err
        return message if isinstance(message, dict) else {}

    def until(self, mark: bytes) -> bytes:
        while mark not in self.unread[:MOST]:
            if len(self.unread) > MOST:
                raise DapError("a message without end")
            self.more()
        head, _, self.unread = self.unread.partition(mark)
        return head

    def more(self) -> None:
        left = self.end - time.monotonic()
        if left <= 0:
            raise DapError("it did not answer in time")
        self.link.settimeout(left)
        try:
            data = self.link.recv(65536)
        except TimeoutError as err:
            raise DapError("it did not answer in time") from err
        except OSError as err:
            raise DapError(f"{type(err).__name__}: {err}") from err
        if not data:
            raise DapError("it closed the connection")
        self.unread += data

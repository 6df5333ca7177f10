"""How a container stops: in time, in peace, and with the request answered that it was at."""

from __future__ import annotations

from typing import Any

from grader.executed import Executed
from grader.registry import check
from grader.results import Result, failed, passed
from grader.stopping import KILLED, Command, Interrupted, Stopped

GOOD = (0, 130, 143)  # left by itself; ended by SIGINT, by SIGTERM
TOLD = 80  # characters of a command in a message
UNSTOPPABLE = 9  # SIGKILL


@check
def graceful(stopped: Stopped, command: Command, *, max_seconds: float) -> Result:
    """Told to stop, it ends by itself within {max_seconds} s"""
    seen = f"{stopped.seconds:.1f} s, exit code {stopped.exit_code}"
    evidence: dict[str, Any] = {
        "seconds": round(stopped.seconds, 2),
        "exit_code": stopped.exit_code,
        "process_1": stopped.first.command[:TOLD],
    }
    if stopped.exit_code == KILLED:
        why, line = _why_killed(stopped, command)
        return failed(f"It had to be killed ({seen}). {why}", line=line, **evidence)
    if stopped.exit_code not in GOOD:
        return failed(
            f"It broke while it stopped ({seen}). End with 0 once all is put away; `docker logs`"
            " shows its last words.",
            line=command.line,
            **evidence,
        )
    if stopped.seconds > max_seconds:
        return failed(
            f"It took {seen}; {max_seconds:g} s are allowed. Docker kills after 10 s, Kubernetes"
            " after 30 s: finish what is begun, and wait for nothing else.",
            **evidence,
        )
    return passed(seen, **evidence)


def _why_killed(stopped: Stopped, command: Command) -> tuple[str, int | None]:
    """What is known of why the signal had no effect, and the line to blame."""
    name, first, line = command.stop_signal, stopped.first, command.line
    signal_line = command.lines.get("STOPSIGNAL")
    one = f"Process 1 is `{first.command[:TOLD]}`"
    if command.number == UNSTOPPABLE:
        return f"STOPSIGNAL {name} can't be caught: take the line out.", signal_line
    if first.handles:
        why = (
            f"{one}, and it catches {name}; {stopped.patience} s later it was still there. What"
            " does its handler wait for? A process that it started must be told as well."
        )
        return why, line
    if first.shell:
        form = " That is what CMD or ENTRYPOINT in the shell form makes of it." * command.shell
        why = (
            f"{one}, a shell, which keeps {name} to itself.{form} Use the list form,"
            ' ["program", "argument"], or `exec` in the script.'
        )
        return why, line
    why = (
        f"{one}, and it has no handler for {name}. For process 1 the kernel does nothing by itself:"
        " add a handler, start it with --init, or name in STOPSIGNAL a signal that it knows."
    )
    return why, signal_line or line


@check
def unchanged(executed: Executed, *, file: str) -> Result:
    """{file} is the course's own, byte for byte, and it is what answers"""
    running = [one.path for one in executed.scripts[:20]]
    here = [one for one in executed.scripts if one.path.endswith(f"/{file}")]
    if not here:
        return failed(
            f"No process runs {file} (the Python files that run: {', '.join(running) or 'none'})."
            f" Start it with `python {file}`; what goes around it is up to you.",
            scripts=running,
        )
    if executed.given[file] not in [one.sha256 for one in here]:
        return failed(
            f"{here[0].path} is not the {file} that was given: something in the build changes it."
            " Leave it as it is; how it is started and stopped is the Dockerfile's.",
            scripts=running,
        )
    if all(one.listens is False for one in here):
        return failed(
            f"{file} runs, and another process answers in its place. Let it take the requests"
            " itself.",
            scripts=running,
        )
    return passed("as it was given", scripts=running)


@check
def in_flight(interrupted: Interrupted, command: Command) -> Result:
    """A request that it is at when it is told to stop is still answered"""
    evidence: dict[str, Any] = {"status": interrupted.status, "exit_code": interrupted.exit_code}
    if interrupted.status == 0:
        return failed(
            f"{command.stop_signal} came when half of a request was there, and it was never"
            f" answered ({interrupted.error}). Take no new connections then, finish those that are"
            " open, and leave after that.",
            line=_line(command),
            **evidence,
        )
    if interrupted.status != 200:
        return failed(
            f"It answered the request with status {interrupted.status}, because it had been told to"
            " stop meanwhile. Finish first what has begun.",
            **evidence,
        )
    if not interrupted.whole:
        return failed("Its answer was cut short: it is shorter than without a stop.", **evidence)
    if not interrupted.ended:
        return failed("The request was answered, and it did not stop afterwards.", **evidence)
    return passed(f"answered, and then exit code {interrupted.exit_code}", **evidence)


def _line(command: Command) -> int | None:
    return command.lines.get("STOPSIGNAL") or command.line

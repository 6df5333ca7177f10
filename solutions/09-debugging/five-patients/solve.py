"""Five patients: how to find out, as a program that reads what `docker inspect` and `logs` say.

    python solve.py NAME… > answers.toml

The names and values are drawn anew each time, so this prints the answers for those that are here.
"""

import json
import re
import subprocess
import sys


def docker(*words: str) -> str:
    done = subprocess.run(["docker", *words], capture_output=True, text=True, check=True)
    return done.stdout + done.stderr


def told(name: str) -> tuple[str, object]:
    """The cause and the evidence of one: first whether it runs, and how it ended if it does not."""
    (about,) = json.loads(docker("inspect", name))
    state, host, config = about["State"], about["HostConfig"], about["Config"]
    if state["Running"]:
        return running(state, config)
    if state["OOMKilled"]:  # 137 alone could be anybody's SIGKILL
        return "out-of-memory", host["Memory"]
    if state["ExitCode"] == 128 + 7:  # SIGBUS: written to where there is no room
        return "shared-memory", host["ShmSize"]
    log = docker("logs", name)
    if "can't open file" in log:
        return "wrong-folder", config["WorkingDir"]
    if library := re.search(r"OSError: (\S+): cannot open shared object", log):
        return "missing-library", library[1]
    return "hidden-model", next(m["Name"] for m in about["Mounts"] if m["Destination"] == "/models")


def running(state: dict, config: dict) -> tuple[str, object]:
    if state["Health"]["Status"] == "unhealthy":
        return "no-such-probe", re.search(
            r"(/\S+): not found", state["Health"]["Log"][-1]["Output"]
        )[1]
    values = dict(row.split("=", 1) for row in config["Env"])
    return "loopback", f"{values['HOST']}:{values['PORT']}"


def main(names: list[str]) -> None:
    for name in names:
        cause, evidence = told(name)
        print(f'[{name}]\ncause = "{cause}"\nevidence = "{evidence}"\n')


if __name__ == "__main__":
    main(sys.argv[1:])

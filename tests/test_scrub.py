"""What tells whose machine it was does not leave it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from grader import scrub
from grader.host.apt import Source
from grader.scrub import Scrubber, addresses, scrubber

MIRROR = "https://jane:s3cret@packages.corp.test:8443/simple"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A machine of Jane's, behind a proxy and with mirrors of its own."""
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "jane")
    monkeypatch.setattr("getpass.getuser", lambda: "jane")
    monkeypatch.setattr("socket.gethostname", lambda: "janes-laptop")
    kernel = os.uname_result(("Linux", "janes-laptop", "6.1.7-of-jane", "", ""))
    monkeypatch.setattr(os, "uname", lambda: kernel)
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("search x\nnameserver 10.1.2.53\nnameserver 127.0.0.53\nnameserver\n")
    monkeypatch.setattr(scrub, "RESOLVER", resolver)
    monkeypatch.setenv("HOME", "/home/jane")
    monkeypatch.setenv("LAB_HOME", "/srv/labs-of-jane")
    monkeypatch.setenv("https_proxy", "http://proxy.corp.test:3128")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1,10.0.0.0/8,.intern.test")
    monkeypatch.setattr(sys, "prefix", "/home/jane/course/.venv")
    pip = {"index-url": MIRROR, "find-links": "file:///opt/wheels", "trusted-host": "pip.test"}
    monkeypatch.setattr("grader.host.trust.pip_values", lambda: pip)
    debian = Source("http://apt.corp.test/debian", "bookworm", ("main",))
    monkeypatch.setattr("grader.host.apt.sources", lambda: [debian])


@pytest.fixture
def clean() -> Scrubber:
    told = '{"Mirrors": ["https://hub.corp.test/"], "IndexConfigs": "https://index.docker.io/v1/"}'
    return scrubber((Path("/home/jane/course"),), (told,), {"engine-of-jane"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/home/jane/course/labs/a", "/course/labs/a"),
        ("/home/jane/course/.venv/bin/pip", "/course/.venv/bin/pip"),
        ("/home/jane/.docker", "/home/learner/.docker"),
        ("unix:///srv/labs-of-jane/run/docker.sock", "unix:///lab-home/run/docker.sock"),
        ("-rw-r--r-- 1 jane jane 5 x", "-rw-r--r-- 1 learner learner 5 x"),
        ("Name: janes-laptop", "Name: machine"),
        ("Name: Engine-of-Jane", "Name: machine"),
        (f"Looking in indexes: {MIRROR}", "Looking in indexes: https://mirror.example/simple"),
        ("from packages.corp.test:8443 (443)", "from mirror.example (443)"),
        ("trusted pip.test", "trusted mirror.example"),
        ("Looking in links: file:///opt/wheels", "Looking in links: file://mirror.example"),
        ("Get:1 http://apt.corp.test/debian x", "Get:1 http://mirror.example/debian x"),
        ("HTTP Proxy: http://proxy.corp.test:3128", "HTTP Proxy: http://mirror.example"),
        ("https://hub.corp.test/v2/", "https://mirror.example/v2/"),
        ("db.intern.test refused", "db.mirror.example refused"),
        ("http://a:b@example.org/x", "http://example.org/x"),
        ("lookup x on 10.1.2.53:53: no", "lookup x on 192.0.2.53: no"),
        ("kernel 6.1.7-of-jane | 1", "kernel 6.1.7 | 1"),
        ("/tmp/lab08-ab1_x9zq/scope", "/tmp/lab08-xxxxxxxx/scope"),
        ("lab.run=notebook-0a1b2c3d-01-a", "lab.run=notebook-00000000-01-a"),
        ("lab.run=janes-laptop/77/5/0a1b2c3d", "lab.run=run/1/1/00000000"),
    ],
)
def test_what_is_this_machines_own_is_replaced(clean: Scrubber, text: str, expected: str) -> None:
    assert clean(text) == expected
    assert clean.left(clean(text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "uid=0(root) gid=0(root) /root/.cache 127.0.0.1:8000->8000/tcp localhost",
        "docker.io/library/python:3.11-slim https://index.docker.io/v1/ example.org",
        "172.17.0.2 127.0.0.53 sha256:0123abcd janet /home/janet /usr/local/bin/python",
        "COPY --from=build /course/x /tmp/data-long-name-here",
    ],
)
def test_what_is_everybodys_stays(clean: Scrubber, text: str) -> None:
    assert clean(text) == text


def test_what_is_left_is_seen(clean: Scrubber) -> None:
    assert clean.left("at proxy.corp.test, by jane") == ["proxy.corp.test", "jane"]


def test_the_users_and_machines_of_a_container_are_no_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("USER", "LOGNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "root")
    monkeypatch.setattr("getpass.getuser", lambda: "root")
    monkeypatch.setenv("HOME", "/root")
    assert scrubber(())("root at /root/.cache") == "root at /root/.cache"


def test_a_checkout_that_is_called_as_what_stands_for_it_is_no_leak() -> None:
    clean = scrubber((Path(scrub.COURSE),))
    assert clean.left("/course/labs") == []


def test_every_address_in_the_environment_counts() -> None:
    found = addresses({"NPM_CONFIG_REGISTRY": "http://npm.corp.test/x", "A": "b"})
    assert found["npm.corp.test"] == scrub.SOMEWHERE


def test_the_real_machine_keeps_its_own_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    clean = scrubber((Path(__file__).parents[1],))
    text = "\n".join([*os.environ.values(), *clean.words, str(Path(__file__))])
    assert clean.left(clean(text)) == []

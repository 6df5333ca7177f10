"""Reading a Deployment, and what an API server would refuse of it."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from grader import kube, yamls
from grader.errors import SubmissionError
from grader.kube import Handler, Manifest

GOOD = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: x
spec:
  selector:
    matchLabels: {app: x}
  template:
    metadata:
      labels: {app: x}
    spec:
      containers:
        - name: x
          image: x:1
          ports:
            - {name: http, containerPort: 8000}
          livenessProbe:
            httpGet: {path: /live, port: http}
"""
LIVENESS = "            httpGet: {path: /live, port: http}\n"


def read(text: str) -> Manifest:
    return kube.manifest(yamls.parse(text.encode(), "deployment.yaml"))


def probe(more: str) -> Any:
    """The liveness probe with these lines in the place of its handler."""
    lines = "".join(f"            {line}\n" for line in dedent(more).splitlines())
    return read(GOOD.replace(LIVENESS, lines)).probes["liveness"]


def why(text: str) -> list[tuple[str, int | None]]:
    return list(kube.refused(yamls.parse(text.encode(), "deployment.yaml")))


HANDLERS = [
    ("httpGet: {path: /live, port: 8000}", Handler("http", 8000, "/live")),
    ("httpGet: {path: live, port: http}", Handler("http", 8000, "/live")),
    ("httpGet: {port: 1}", Handler("http", 1, "/")),
    ("httpGet: {path: /, port: nowhere}", Handler("http", 0, "/")),
    (
        "httpGet: {path: /, port: 1, scheme: HTTPS, host: h, httpHeaders: [{name: a, value: b}]}",
        Handler("http", 1, "/", "HTTPS", "h", (("a", "b"),)),
    ),
    ("tcpSocket: {port: http}", Handler("tcp", 8000)),
    ("exec: {command: [cat, /x]}", Handler("exec", command=("cat", "/x"))),
    ("grpc: {port: 1}", Handler("grpc")),
    ("periodSeconds: 3", Handler("none")),
]


@pytest.mark.parametrize(("text", "handler"), HANDLERS)
def test_what_a_probe_does(text: str, handler: Handler) -> None:
    assert probe(text).handler == handler


def test_what_is_not_said_is_as_kubernetes_has_it() -> None:
    one = probe("httpGet: {port: 1}")
    assert (one.initial_delay, one.period, one.timeout, one.success, one.failure) == (
        0,
        10,
        1,
        1,
        3,
    )
    assert one.line == 17


def test_all_numbers_are_read() -> None:
    one = probe(
        "httpGet: {port: 1}\ninitialDelaySeconds: 1\nperiodSeconds: 2\ntimeoutSeconds: 3\n"
        "successThreshold: 1\nfailureThreshold: 5\nterminationGracePeriodSeconds: 6"
    )
    numbers = (one.initial_delay, one.period, one.timeout, one.success, one.failure, one.grace)
    assert numbers == (1, 2, 3, 1, 5, 6)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("kind: Service\napiVersion: v1\n", "0 Deployments"),
        (f"{GOOD}---\n{GOOD}", "2 Deployments"),
        (GOOD.replace("containers:", "initContainers:"), "0 containers"),
        (GOOD + "        - {name: y, image: y}\n", "2 containers"),
        ("- a\n- b\n", "0 Deployments"),
        ("kind: Deployment\nspec: 3\n", "0 containers"),
        ("kind: Deployment\nspec: {template: {spec: {containers: [3]}}}\n", ""),
        ("", "0 Deployments"),
    ],
)
def test_whatever_is_handed_in_is_read_without_a_crash(text: str, words: str) -> None:
    if words:
        with pytest.raises(SubmissionError, match=words):
            read(text)
    else:
        assert read(text).probes == {}
    why(text)


def test_a_deployment_may_have_other_things_beside_it() -> None:
    assert read(f"kind: Service\napiVersion: v1\n---\n{GOOD}").probes["liveness"].line == 20


REFUSED = [
    ("good", GOOD, "", None),
    ("no selector", GOOD.replace("  selector:\n    matchLabels: {app: x}\n", ""), "selector", 5),
    (
        "other labels",
        GOOD.replace("labels: {app: x}\n    spec", "labels: {app: y}\n    spec"),
        "match",
        6,
    ),
    ("a typo", GOOD.replace("image:", "imgae:"), "imgae", 13),
    (
        "a number for a text",
        GOOD.replace("name: x\n          image", "name: 3\n          image"),
        "3",
        13,
    ),
    ("no kind", "apiVersion: v1\n", "no kind", 1),
    ("an unknown kind", "apiVersion: v1\nkind: Deploiment\n", "Deploiment", 2),
    ("no mapping", "- a\n", "no mapping", 1),
    ("no handler", GOOD.replace(LIVENESS, "            periodSeconds: 3\n"), "exactly one", 17),
    ("two handlers", GOOD + "            exec: {command: [x]}\n", "exactly one", 17),
    ("two successes", GOOD + "            successThreshold: 2\n", "successThreshold", 17),
    ("a period of 0", GOOD + "            periodSeconds: 0\n", "1 or more", 17),
    ("a grace", GOOD + "            terminationGracePeriodSeconds: 9\n", "", None),
    (
        "a grace for readiness",
        GOOD.replace("liveness", "readiness") + "            terminationGracePeriodSeconds: 9\n",
        "only for",
        17,
    ),
    (
        "two successes for readiness",
        GOOD.replace("liveness", "readiness") + "            successThreshold: 2\n",
        "",
        None,
    ),
]


@pytest.mark.parametrize(
    ("text", "words", "line"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED]
)
def test_what_an_api_server_refuses(text: str, words: str, line: int | None) -> None:
    found = why(text)
    assert bool(found) is bool(words)
    if found:
        assert words in found[0][0]
        assert found[0][1] == line


def test_a_file_that_is_not_there_is_the_students(tmp_path: Path) -> None:
    with pytest.raises(SubmissionError, match=r"deployment\.yaml"):
        kube.manifest_doc(tmp_path)


def test_what_reaches_for_the_node_is_refused(tmp_path: Path) -> None:
    text = GOOD.replace(
        "    spec:\n      containers", "    spec:\n      hostPID: true\n      containers"
    )
    (tmp_path / "deployment.yml").write_text(text)
    with pytest.raises(SubmissionError) as caught:
        kube.manifest_doc(tmp_path)
    assert caught.value.line == 12

"""What a Compose file, a run.toml and a manifest may not ask for, each with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from grader import yamls
from grader.errors import SubmissionError
from grader.refusals import refuse_compose, refuse_manifest, refuse_run
from grader.yamls import Doc

SERVICE = "services:\n  app:\n    image: x\n    "

REFUSED = [
    # all rights, and the host's namespaces
    ("privileged: true", "privileged"),
    ("privileged: yes", "privileged"),
    ("privileged: ${P}", "privileged"),
    ("network_mode: host", "network_mode: host"),
    ("network_mode: container:db", "not the submission's"),
    ("network_mode: ${N}", "a variable"),
    ("pid: host", "pid: host"),
    ('pid: "container:other"', "not the submission's"),
    ("ipc: host", "ipc: host"),
    ("uts: host", "uts: host"),
    ("userns_mode: host", "userns_mode: host"),
    ("cgroup: host", "cgroup: host"),
    # the socket, by any way there
    ("volumes: [/var/run/docker.sock:/s]", "Docker socket"),
    ("volumes: [/run/docker.sock:/s:ro]", "Docker socket"),
    ("volumes: [/var/run:/r]", "Docker socket"),
    ("volumes: [/run/:/r]", "Docker socket"),
    ("volumes: [/var/../run:/r]", "Docker socket"),
    ("volumes: [/:/host]", "Docker socket"),
    ("volumes: [{type: bind, source: /run, target: /r}]", "Docker socket"),
    ("use_api_socket: true", "Docker socket"),
    # folders that are not the submission's
    ("volumes: [/etc:/e]", "outside"),
    ("volumes: [../x:/x]", "outside"),
    ("volumes: [./a/../../x:/x]", "outside"),
    ("volumes: ['~/x:/x']", "outside"),
    ("volumes: ['~:/x']", "outside"),
    ("volumes: ['${PWD}/x:/x']", "variable"),
    ("volumes: ['$HOME:/x']", "variable"),
    ("volumes: ['C:\\x:/x']", ""),
    ("volumes: [{type: bind, source: ../x, target: /x}]", "outside"),
    ("volumes: [{type: BIND, source: /etc, target: /x}]", "outside"),
    ("volumes: [{source: /etc, target: /x}]", "outside"),
    ("volumes: [{type: image, source: x, target: /x}]", "type image"),
    ("volumes: [{type: npipe, source: x, target: /x}]", "type npipe"),
    ("volumes: ['./x:/x:rshared']", "rshared"),
    ("volumes: [{type: bind, source: ./x, target: /x, bind: {propagation: shared}}]", "shared"),
    ("env_file: /etc/environment", "outside"),
    ("env_file: [ok.env, ../x.env]", "outside"),
    ("env_file: [{path: ../x.env, required: false}]", "outside"),
    ("env_file: ${FILE}", "variable"),
    ("label_file: /etc/passwd", "not taken"),
    ("build: ..", "outside"),
    ("build: https://example.org/x.git", "outside"),
    ("build: git@example.org:x", "outside"),
    ("build: github.com/x/y", "outside"),
    ("build: {context: ., dockerfile: ../Dockerfile}", "outside"),
    ("build: {context: ., additional_contexts: {a: /etc}}", "outside"),
    ("build: {context: ., network: host}", "network: host"),
    ("build: {context: ., privileged: true}", "privileged"),
    ("build: {context: ., entitlements: [network.host]}", "entitlements"),
    ("build: {context: ., ssh: [default]}", "ssh"),
    ("extends: {file: other.yaml, service: a}", "extends"),
    # devices, capabilities, and what else keeps a container apart
    ("devices: [/dev/kvm:/dev/kvm]", "devices"),
    ("volumes: ['/dev/nvidia0:/dev/nvidia0']", "outside"),
    ("runtime: nvidia", "runtime"),
    ("device_cgroup_rules: ['c 1:3 mr']", "devices"),
    ("cap_add: [SYS_ADMIN]", "SYS_ADMIN"),
    ("cap_add: [cap_sys_ptrace]", "SYS_PTRACE"),
    ("cap_add: [NET_BIND_SERVICE, NET_ADMIN]", "NET_ADMIN"),
    ("cap_add: [ALL]", "ALL"),
    ("cap_add: ['${C}']", "${C}"),
    ("security_opt: ['seccomp:unconfined']", "seccomp:unconfined"),
    ("security_opt: ['seccomp=./all.json']", "seccomp"),
    ("security_opt: ['apparmor=unconfined']", "apparmor"),
    ("security_opt: ['label:disable']", "label"),
    ("security_opt: ['systempaths=unconfined']", "systempaths"),
    ("sysctls: {net.core.somaxconn: 1}", "sysctls"),
    ("volumes_from: [other]", "volumes_from"),
    ("external_links: [db]", "external_links"),
    ("links: [db]", "links"),
    ("cgroup_parent: /x", "cgroup_parent"),
    ("oom_kill_disable: true", "oom_kill_disable"),
    ("oom_score_adj: -1000", "oom_score_adj"),
    ("runtime: other", "runtime"),
    ("provider: {type: x}", "provider"),
    ("post_start: [{command: x, privileged: true}]", "post_start"),
    ("credential_spec: {file: x}", "credential_spec"),
    ("logging: {driver: syslog}", "syslog"),
    ("something_new: 1", "something_new"),
    ("readonly: true", "did you mean read_only?"),
]


def compose(text: str) -> Doc:
    return yamls.parse(text.encode(), "compose.yaml")


@pytest.mark.parametrize(("body", "words"), REFUSED, ids=[r[0][:50] for r in REFUSED])
def test_compose_refuses(body: str, words: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        refuse_compose(compose(SERVICE + body + "\n"))
    assert (caught.value.file, caught.value.line) == ("compose.yaml", 4)
    assert str(caught.value).startswith("compose.yaml, line 4: ")
    assert words in str(caught.value)


TAKEN = [
    "privileged: false",
    "network_mode: none",
    "network_mode: bridge",
    "pid: service:app",
    "ipc: shareable",
    "ipc: private",
    "volumes: [./data:/data:ro]",
    "volumes: [data:/data]",
    "volumes: [/data]",
    "volumes: ['./a:/a:rw,z']",
    "volumes: [{type: tmpfs, target: /tmp}]",
    "volumes: [{type: bind, source: ./x, target: /x, bind: {create_host_path: true}}]",
    "tmpfs: ['/tmp:size=1m,exec']",
    "env_file: [./a.env]",
    "build: .",
    "build: {context: ., dockerfile: Dockerfile.prod, args: {A: 1}}",
    "build: ./sub",
    "extends: other",
    "extends: {service: other}",
    "cap_drop: [ALL]",
    "cap_add: [NET_BIND_SERVICE, CAP_CHOWN]",
    "security_opt: ['no-new-privileges:true']",
    "security_opt: [no-new-privileges]",
    "security_opt: ['no-new-privileges=false']",
    "security_opt: ['apparmor=docker-default']",
    "logging: {driver: json-file}",
    "ports: ['80:80']",
    "environment: {A: '${B}'}",
    "gpus: all",
    "deploy: {resources: {reservations: {devices: [{capabilities: [gpu]}]}}}",
    "x-note: anything",
    "devices: []",
    "sysctls: null",
]


@pytest.mark.parametrize("body", TAKEN, ids=[t[:50] for t in TAKEN])
def test_compose_takes(body: str) -> None:
    refuse_compose(compose(SERVICE + body + "\n"))


THINGS = [
    ("include: [other.yaml]", "include"),
    ("include: ['oci://x']", "include"),
    ("networks: {a: {external: true}}", "not the submission's own"),
    ("networks: {a: {driver: host}}", "driver host"),
    ("networks: {a: {driver: macvlan}}", "driver macvlan"),
    ("networks: {a: {driver_opts: {parent: eth0}}}", "driver"),
    ("volumes: {a: {external: true}}", "not the submission's own"),
    ("volumes: {a: {external: {name: b}}}", "not the submission's own"),
    ("volumes: {a: {driver_opts: {type: none, o: bind, device: /}}}", "driver"),
    ("volumes: {a: {driver: nfs}}", "driver nfs"),
    ("secrets: {a: {file: /etc/shadow}}", "outside"),
    ("secrets: {a: {external: true}}", "not the submission's own"),
    ("configs: {a: {file: ../x}}", "outside"),
    ("configs: {a: {file: '${X}'}}", "variable"),
]


@pytest.mark.parametrize(("body", "words"), THINGS, ids=[t[0][:50] for t in THINGS])
def test_compose_refuses_outside_of_services(body: str, words: str) -> None:
    with pytest.raises(SubmissionError) as caught:
        refuse_compose(compose(f"services: {{app: {{image: x}}}}\n{body}\n"))
    assert caught.value.line == 2
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "body",
    [
        "networks: {a: {}, b: null, c: {driver: bridge, internal: true}}",
        "volumes: {a: null, b: {driver: local}, c: {external: false}}",
        "secrets: {a: {file: ./x}, b: {environment: X}}",
        "configs: {a: {content: x}}",
        "name: x\nversion: '3.8'",
    ],
)
def test_compose_takes_things_of_its_own(body: str) -> None:
    refuse_compose(compose(f"services: {{app: {{image: x}}}}\n{body}\n"))


def test_the_line_is_that_of_the_entry() -> None:
    text = "services:\n  app:\n    cap_add:\n      - CHOWN\n      - SYS_ADMIN\n"
    with pytest.raises(SubmissionError) as caught:
        refuse_compose(compose(text))
    assert caught.value.line == 5


def test_what_an_anchor_brings_is_refused_too() -> None:
    text = "x-a: &a\n  privileged: true\nservices:\n  app:\n    <<: *a\n    image: x\n"
    with pytest.raises(SubmissionError, match="privileged"):
        refuse_compose(compose(text))


@pytest.mark.parametrize("data", [None, [], "x", {"services": []}, {"services": {"a": "x"}}])
def test_another_shape_is_no_crash(data: object) -> None:
    refuse_compose(Doc("compose.yaml", (data,)))
    refuse_run(Doc("run.toml", (data,)))
    refuse_manifest(Doc("pod.yaml", (data,)))


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "near").symlink_to("in")
    (tmp_path / "far").symlink_to("/etc")
    (tmp_path / "in" / "up").symlink_to("../..")
    for name in ("in", "near", "not-there"):
        refuse_compose(compose(SERVICE + f"volumes: [./{name}:/x]\n"), folder=tmp_path)
    for name in ("far", "in/up", "far/ssl"):
        with pytest.raises(SubmissionError, match="leads out"):
            refuse_compose(compose(SERVICE + f"volumes: [./{name}:/x]\n"), folder=tmp_path)


def test_a_resolved_file_has_absolute_paths_inside(tmp_path: Path) -> None:
    good = {"type": "bind", "source": str(tmp_path / "x"), "target": "/x"}
    bad = {**good, "source": f"{tmp_path}/../x"}
    for volume, fine in ((good, True), (bad, False)):
        doc = Doc("compose.yaml", ({"services": {"a": {"volumes": [volume]}}},))
        if fine:
            refuse_compose(doc, folder=tmp_path, resolved=True)
            continue
        with pytest.raises(SubmissionError, match="outside"):
            refuse_compose(doc, folder=tmp_path, resolved=True)


# -- run.toml -------------------------------------------------------------------------------------

FLAGS = [
    ("privileged", True, "privileged"),
    ("network", "host", "network: host"),
    ("network", "container:x", "not the submission's"),
    ("pid", "host", "pid: host"),
    ("ipc", "host", "ipc: host"),
    ("uts", "host", "uts: host"),
    ("userns", "host", "userns: host"),
    ("cgroupns", "host", "cgroupns: host"),
    ("device", ["/dev/kvm"], "device"),
    ("device", ["/dev/nvidia0"], "device"),
    ("device", ["nvidia.com/gpu=0", "/dev/kvm"], "device"),
    ("device", ["nvidia.com/gpu=0:/dev/x"], "device"),
    ("device", "vendor.org/disk=0", "device"),
    ("device-cgroup-rule", ["c 1:3 mr"], "device"),
    ("cap-add", ["SYS_ADMIN"], "SYS_ADMIN"),
    ("cap-add", "ALL", "ALL"),
    ("security-opt", ["seccomp=unconfined"], "seccomp"),
    ("sysctl", ["net.ipv4.ip_forward=1"], "sysctl"),
    ("volume", ["/var/run/docker.sock:/s"], "Docker socket"),
    ("volume", ["/:/host"], "Docker socket"),
    ("volume", ["../x:/x"], "outside"),
    ("volume", ["./x:/x:shared"], "shared"),
    ("volume", "/etc:/x", "outside"),
    ("mount", ["type=bind,source=/etc,target=/x"], "outside"),
    ("mount", ["type=bind,src=../x,dst=/x"], "outside"),
    ("mount", ['"type=bind","source=/etc",target=/x'], "outside"),
    ("mount", ["type=bind,source=./x,src=/etc,target=/x"], "outside"),
    ("mount", ["type=bind,source=./x,target=/x,bind-propagation=rshared"], "rshared"),
    ("mount", ["type=volume,target=/x,volume-opt=type=none"], "driver"),
    ("env-file", ["/etc/environment"], "outside"),
    ("volumes-from", ["other"], "volumes-from"),
    ("link", ["other"], "link"),
    ("runtime", "other", "runtime"),
    ("oom-kill-disable", True, "oom-kill-disable"),
]


@pytest.mark.parametrize(("key", "value", "words"), FLAGS, ids=[f"{k} {v}" for k, v, _ in FLAGS])
def test_run_refuses(key: str, value: object, words: str) -> None:
    with pytest.raises(SubmissionError, match=r"^run\.toml, line 7: ") as caught:
        refuse_run(Doc("run.toml", ({key: value},), {(0, (key,)): 7}))
    assert words in str(caught.value)


@pytest.mark.parametrize("value", ["nvidia.com/gpu=0", ["nvidia.com/gpu=0", "nvidia.com/gpu=all"]])
def test_run_takes_a_gpu_by_its_name(value: object) -> None:
    refuse_run(Doc("run.toml", ({"device": value},)))


def test_run_takes() -> None:
    taken = {
        "read-only": True,
        "privileged": False,
        "cap-drop": ["ALL"],
        "cap-add": ["NET_BIND_SERVICE"],
        "security-opt": ["no-new-privileges"],
        "volume": ["./x:/x:ro", "data:/d", "/anonymous"],
        "mount": ["type=tmpfs,target=/t", "type=bind,source=./x,target=/x,readonly"],
        "network": "none",
        "ipc": "private",
        "device": [],
        "oom-kill-disable": False,
    }
    refuse_run(Doc("run.toml", (taken,)))


# -- manifests ------------------------------------------------------------------------------------

POD = "kind: Pod\nmetadata: {name: x}\nspec:\n  "
MANIFESTS = [
    ("hostNetwork: true", 4),
    ("hostPID: true", 4),
    ("hostIPC: true", 4),
    ('hostIPC: "true"', 4),
    ("HOSTNETWORK: true", 4),
    ("volumes:\n    - hostPath: {path: /}", 5),
    ("volumes:\n    - name: a\n      hostPath:\n        path: /var/run", 6),
    ("containers:\n    - securityContext: {privileged: true}", 5),
    ("initContainers:\n    - securityContext: {privileged: yes}", 5),
    ("containers:\n    - securityContext:\n        capabilities:\n          add: [SYS_ADMIN]", 7),
    ("containers:\n    - securityContext: {capabilities: {add: [NET_BIND_SERVICE]}}", 5),
    ("containers:\n    - ports:\n        - {containerPort: 80, hostPort: 80}", 6),
    ("containers:\n    - securityContext: {procMount: Unmasked}", 5),
    ("securityContext: {seccompProfile: {type: Unconfined}}", 4),
    ("securityContext: {sysctls: [{name: a, value: b}]}", 4),
    ("securityContext: {windowsOptions: {hostProcess: true}}", 4),
    ("template: {spec: {hostNetwork: true}}", 4),
    ("local: {path: /mnt}", 4),
]


@pytest.mark.parametrize(("body", "line"), MANIFESTS, ids=[m[0][:60] for m in MANIFESTS])
def test_manifest_refuses(body: str, line: int) -> None:
    with pytest.raises(SubmissionError) as caught:
        refuse_manifest(yamls.parse(f"{POD}{body}\n".encode(), "pod.yaml"))
    assert caught.value.line == line
    assert str(caught.value).startswith(f"pod.yaml, line {line}: ")


def test_a_later_document_is_looked_at_too() -> None:
    text = "kind: Service\n---\nkind: List\nitems:\n  - spec:\n      hostPID: true\n"
    with pytest.raises(SubmissionError) as caught:
        refuse_manifest(yamls.parse(text.encode(), "pod.yaml"))
    assert caught.value.line == 6


def test_manifest_takes_an_ordinary_deployment() -> None:
    text = """
kind: Deployment
metadata: {name: digits, labels: {privileged: "true"}, annotations: {hostPath: x}}
spec:
  selector: {matchLabels: {hostNetwork: "true"}}
  template:
    metadata: {labels: {app: digits}}
    spec:
      hostNetwork: false
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      volumes: [{name: tmp, emptyDir: {}}]
      containers:
        - name: digits
          image: digits
          env: [{name: privileged, value: "true"}]
          ports: [{containerPort: 8000, hostPort: 0}]
          securityContext:
            privileged: false
            allowPrivilegeEscalation: false
            capabilities: {drop: [ALL], add: []}
          livenessProbe: {httpGet: {path: /live, port: 8000}}
---
kind: ConfigMap
data: {privileged: "true"}
"""
    refuse_manifest(yamls.parse(text.encode(), "deployment.yaml"))

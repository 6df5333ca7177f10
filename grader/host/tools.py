"""The docker client, buildx and Compose to use, and the settings with which it finds them.

Not here: fetching them (packages). The user's own settings are read, never written.
"""

import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from grader.errors import EngineError
from grader.host.contexts import config_folder, read_json
from grader.host.home import Home

OLDEST_BUILDX = (0, 12)
PLUGIN_FOLDERS = (
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
# What a settings file may hand on: logins, proxies. Not the context: DOCKER_HOST says which engine.
HANDED_ON = ("auths", "credsStore", "credHelpers", "HttpHeaders", "proxies")


class Missing(EngineError):
    """No client here is new enough; ours was not fetched yet."""


@dataclass(frozen=True)
class Tools:
    """A client's binaries, and the folder of its settings."""

    docker: Path
    buildx: Path
    config: Path


def find(place: Home, *, own_engine: bool) -> Tools:
    """The user's own tools for the user's own engine where they are new enough, else ours."""
    own = None if own_engine else _users(place)
    if own is not None:
        return own
    if not place.client.is_dir():
        raise Missing(
            f"docker buildx {'.'.join(map(str, OLDEST_BUILDX))} or newer is missing. "
            "Get it with `make up`."
        )
    return Tools(place.client / "usr/bin/docker", _ours(place, "docker-buildx"), configure(place))


def _users(place: Home) -> Tools | None:
    docker = shutil.which("docker")
    folders = (config_folder() / "cli-plugins", *map(Path, PLUGIN_FOLDERS))
    buildx = next((f / "docker-buildx" for f in folders if (f / "docker-buildx").is_file()), None)
    if docker is None or buildx is None or buildx_version(place, buildx) < OLDEST_BUILDX:
        return None
    return Tools(Path(docker), buildx, config_folder())


def buildx_version(place: Home, buildx: Path) -> tuple[int, ...]:
    """Asked once for a binary, then remembered: it takes longer than everything else here."""
    stat = buildx.stat()
    key = f"{buildx} {stat.st_size} {stat.st_mtime_ns}"
    note = place.root / "buildx.json"
    known = read_json(note)
    if known.get("key") != key:
        known = {"key": key, "version": _ask_version(buildx)}
        place.root.mkdir(parents=True, exist_ok=True)
        note.write_text(json.dumps(known), "utf-8")
    return tuple(int(part) for part in re.findall(r"\d+", str(known["version"]))[:3])


def _ask_version(buildx: Path) -> str:
    try:
        done = subprocess.run([buildx, "version"], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return "0"
    match = re.search(r"v?(\d+\.\d+(?:\.\d+)?)", done.stdout)
    return match.group(1) if match else "0"


def _ours(place: Home, plugin: str) -> Path:
    found = sorted(place.client.glob(f"usr/lib*/docker/cli-plugins/{plugin}"))
    if not found:
        raise EngineError(
            f"{plugin} is missing under {place.client}. Remove that folder, `make up`."
        )
    return found[0]


def configure(place: Home) -> Path:
    """Our own DOCKER_CONFIG: our plugins, and what of the user's settings an engine needs."""
    folder = place.docker_config
    plugins = folder / "cli-plugins"
    plugins.mkdir(parents=True, exist_ok=True)
    for name in ("docker-buildx", "docker-compose"):
        _point(plugins / name, _ours(place, name))
    text = json.dumps(_settings(folder), indent=1, sort_keys=True) + "\n"
    target = folder / "config.json"
    if not target.exists() or target.read_text("utf-8") != text:
        _write_private(target, text)
    return folder


def _point(link: Path, target: Path) -> None:
    if link.is_symlink() and link.readlink() == target:
        return
    link.unlink(missing_ok=True)
    link.symlink_to(target)


def _settings(folder: Path) -> dict[str, object]:
    users = config_folder()
    if users == folder:  # a child process of ours: its DOCKER_CONFIG is this folder already
        return read_json(folder / "config.json")
    known = read_json(users / "config.json")
    settings = {key: known[key] for key in HANDED_ON if key in known}
    settings["cliPluginsExtraDirs"] = [
        str(users / "cli-plugins"),
        *known.get("cliPluginsExtraDirs", []),
    ]
    if "proxies" not in settings and (proxies := machine_proxies()):
        settings["proxies"] = {"default": proxies}
    return settings


def machine_proxies() -> dict[str, str]:
    """The machine's proxies; the client hands them to each build and stores them in no image."""
    names = {"http_proxy": "httpProxy", "https_proxy": "httpsProxy", "no_proxy": "noProxy"}
    found = {
        key: os.environ.get(name) or os.environ.get(name.upper()) for name, key in names.items()
    }
    here = ("127.", "localhost", "[::1]")
    return {
        key: value
        for key, value in found.items()
        if value and not (key != "noProxy" and any(part in value for part in here))
    }


def _write_private(target: Path, text: str) -> None:
    """Complete or not at all, and for this user only: logins may be in it."""
    fresh = target.with_name(f".{target.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(text, "utf-8")
    fresh.replace(target)


def with_client(path: str, docker: Path) -> str:
    """A PATH on which `docker` is this one."""
    first = str(docker.parent)
    return path if shutil.which("docker", path=path) == str(docker) else f"{first}:{path}"

"""Makes archives as ``docker save`` writes them, in both layouts, for tests; nothing is built."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from typing import Any

Member = tuple[str, bytes] | tarfile.TarInfo


def layer(*members: Member) -> bytes:
    """A layer's tar. ``("a/", b"")`` is a folder, ``("a", b"x")`` a file, a TarInfo is itself."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in members:
            if isinstance(one, tarfile.TarInfo):
                tar.addfile(one)
                continue
            name, data = one
            info = tarfile.TarInfo(name.rstrip("/"))
            info.size, info.mode = len(data), 0o644
            if name.endswith("/"):
                info.type, info.mode = tarfile.DIRTYPE, 0o755
            tar.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def link(name: str, target: str, *, hard: bool = False) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = (tarfile.LNKTYPE if hard else tarfile.SYMTYPE), target
    return info


def diff_id(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def config(layers: Sequence[bytes], **more: Any) -> dict[str, Any]:
    history = [{"created_by": f"RUN step {n}"} for n in range(len(layers))]
    rootfs = {"type": "layers", "diff_ids": [diff_id(x) for x in layers]}
    return {"architecture": "amd64", "config": {}, "history": history, "rootfs": rootfs, **more}


def oci(
    layers: Sequence[bytes],
    about: Mapping[str, Any] | None = None,
    *,
    packed: bool = False,
    more: Mapping[str, bytes] | None = None,
) -> io.BytesIO:
    """The layout since Engine 25: blobs by their digest. ``packed`` is the containerd store's."""
    described = json.dumps(about or config(layers)).encode()
    blobs = [gzip.compress(x) if packed else x for x in layers]
    names = [f"blobs/sha256/{hashlib.sha256(x).hexdigest()}" for x in blobs]
    about_name = f"blobs/sha256/{hashlib.sha256(described).hexdigest()}"
    manifest = [{"Config": about_name, "RepoTags": None, "Layers": names}]
    files = {
        **dict(zip(names, blobs, strict=True)),
        about_name: described,
        "index.json": b'{"schemaVersion": 2, "manifests": []}',
        "manifest.json": json.dumps(manifest).encode(),
        "oci-layout": b'{"imageLayoutVersion": "1.0.0"}',
        **(more or {}),
    }
    return io.BytesIO(layer(*files.items()))


def classic(layers: Sequence[bytes], about: Mapping[str, Any] | None = None) -> io.BytesIO:
    """The layout up to Engine 24: a folder a layer, one that comes twice as a link."""
    described = json.dumps(about or config(layers)).encode()
    members: list[Member] = []
    names: list[str] = []
    for number, data in enumerate(layers):
        name = f"layer{number}/layer.tar"
        first = layers.index(data)
        members += [(f"layer{number}/VERSION", b"1.0"), (f"layer{number}/json", b'{"id": "x"}')]
        members.append(link(name, f"../layer{first}/layer.tar") if first < number else (name, data))
        names.append(name)
    manifest = [{"Config": "about.json", "RepoTags": None, "Layers": names}]
    members += [("about.json", described), ("manifest.json", json.dumps(manifest).encode())]
    return io.BytesIO(layer(*members))

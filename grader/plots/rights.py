"""What a container's processes may do: capabilities as bits, programs that lend root's rights.

The numbers come from the notebook or from an image's files; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grader import cells
from grader.engine import Engine
from grader.look import HARD_LINK, REGULAR, File
from grader.plots.figure import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    Axes,
    Picture,
    Rectangle,
    canvas,
    inside,
    legend,
    never_raises,
    picture,
    rows,
)

# linux/capability.h, by their bit; nothing was ever taken out, new ones come at the end.
CAPABILITIES = """
CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT
SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE
AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ
PERFMON BPF CHECKPOINT_RESTORE
""".split()  # noqa: SIM905  one a line would hide the bits
SETUID, SETGID = 0o4000, 0o2000
SIDE = 0.4
MOST_NAMED = 20  # in the text for those who can't see the picture


@never_raises
def capability_bits(sets: Mapping[str, int]) -> Picture:
    """A row for each set of capabilities, a field for each bit that this kernel knows.

    ``sets`` maps a label to what ``CapEff`` says in /proc/PID/status.
    """
    count = max([len(CAPABILITIES), *(bits.bit_length() for bits in sets.values())])
    names = [CAPABILITIES[n] if n < len(CAPABILITIES) else str(n) for n in range(count)]
    with canvas(1.9 + 0.36 * max(len(sets), 1)) as (figure, axes):
        for row, bits in enumerate(sets.values()):
            for n in range(count):
                _field(axes, n, row, filled=bool(bits >> n & 1), color=BLUE)
            held = f"  {bits.bit_count()}"
            axes.text(count - 0.4, row, held, va="center", color=INK, weight="bold")
        rows(axes, list(sets), count, "")
        axes.set(xlim=(-0.6, count + 1.4))
        axes.set_xticks(range(count), names, rotation=90, fontsize=7, family="monospace")
        axes.spines["bottom"].set_visible(False)
        legend(figure, {"has it": BLUE}, empty="has it not")
        return picture(figure, _bits_in_words(sets, names))


@never_raises
def lenders(images: Mapping[str, str | Sequence[File]]) -> Picture:
    """A row for each setuid or setgid program, a column for each image that has it.

    ``images`` maps a label to an image's name, or to files that are known already.
    """
    found = {name: _lending(files) for name, files in _looked_up(images).items()}
    paths = sorted({path for rights in found.values() for path in rights})
    with canvas(1.1 + 0.3 * max(len(paths), 1)) as (figure, axes):
        for column, rights in enumerate(found.values()):
            for row, path in enumerate(paths):
                color = BLUE if rights.get(path) == "setuid" else ORANGE
                _field(axes, column, row, filled=path in rights, color=color)
                inside(axes, column, row, rights.get(path, ""), color)
        rows(axes, paths, max(len(found), 1), "")
        axes.set(xlim=(-0.6, len(found) - 0.4))
        axes.set_xticks(range(len(found)), [cells.clean(name) for name in found])
        axes.xaxis.tick_top()
        axes.spines["bottom"].set_visible(False)
        legend(figure, {"as its owner (setuid)": BLUE, "as its group (setgid)": ORANGE})
        return picture(figure, _lenders_in_words(found))


def _field(axes: Axes, x: float, y: float, *, filled: bool, color: str) -> None:
    edge = color if filled else GREY
    place = (x - SIDE, y - SIDE), 2 * SIDE, 2 * SIDE
    face = color if filled else "none"
    axes.add_patch(Rectangle(*place, facecolor=face, edgecolor=edge, linewidth=0.8))


def _looked_up(images: Mapping[str, str | Sequence[File]]) -> dict[str, Sequence[File]]:
    if not any(isinstance(one, str) for one in images.values()):
        return {name: one for name, one in images.items() if not isinstance(one, str)}
    with Engine.open() as engine:
        return {n: engine.files(x) if isinstance(x, str) else x for n, x in images.items()}


def _lending(files: Sequence[File]) -> dict[str, str]:
    """Which programs lend whose rights, by path."""
    programs = [f for f in files if f.kind in (REGULAR, HARD_LINK) and f.mode & 0o111]
    group = {f.path: "setgid" for f in programs if f.mode & SETGID}
    return {**group, **{f.path: "setuid" for f in programs if f.mode & SETUID}}


def _bits_in_words(sets: Mapping[str, int], names: Sequence[str]) -> str:
    told = []
    for label, bits in sets.items():
        held = [name for n, name in enumerate(names) if bits >> n & 1]
        named = f" ({', '.join(held)})" if 0 < len(held) <= MOST_NAMED else ""
        told.append(f"{label}: {len(held)} of {len(names)}{named}.")
    return f"Capabilities. {' '.join(told)}"


def _lenders_in_words(found: Mapping[str, Mapping[str, str]]) -> str:
    told = (f"{name}: {', '.join(rights) or 'none'}." for name, rights in found.items())
    return f"Programs that lend their owner's rights. {' '.join(told)}"

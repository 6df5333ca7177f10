"""The arithmetic of a treemap."""

from __future__ import annotations

import pytest

from grader.treemap import REST, Box, grouped, squarified

SITE = "/opt/venv/lib/python3.11/site-packages"


def test_a_packages_files_are_one_group() -> None:
    files = [
        (f"{SITE}/numpy/core.so", 60),
        (f"{SITE}/numpy-2.4.1.dist-info/RECORD", 5),
        (f"{SITE}/numpy.libs/libopenblas.so", 30),
        (f"{SITE}/typing_extensions.py", 10),
        ("/opt/venv/bin/pip", 20),
        ("/opt/venv-old/bin/pip", 999),
        ("/usr/bin/python", 999),
    ]
    assert grouped(files, "/opt/venv/") == [("numpy", 95), ("bin", 20), ("typing_extensions", 10)]


def test_what_is_tiny_becomes_one_group_and_nothing_is_lost() -> None:
    files = [("/big/x", 10_000), *((f"/small{n}/x", 1) for n in range(50)), ("/none/x", 0)]
    groups = grouped(files, "/")
    assert groups == [("big", 10_000), (REST, 50)]


@pytest.mark.parametrize(("size", "alone"), [(40, True), (39, False)])
def test_the_edge_of_tiny(size: int, alone: bool) -> None:
    groups = dict(grouped([("/a/x", 10_000 - size), ("/b/x", size)], "/"))
    assert ("b" in groups) is alone


def test_an_empty_folder_gives_no_boxes() -> None:
    assert grouped([], "/x") == []
    assert squarified([]) == []


def test_areas_are_as_the_sizes_and_fill_the_square() -> None:
    groups = [("a", 600), ("b", 250), ("c", 100), ("d", 30), ("e", 20)]
    boxes = squarified(groups)
    assert [b.name for b in boxes] == list("abcde")
    for box, (_, size) in zip(boxes, groups, strict=True):
        assert box.width * box.height == pytest.approx(size / 1000)


def overlap(one: Box, two: Box) -> float:
    wide = min(one.x + one.width, two.x + two.width) - max(one.x, two.x)
    high = min(one.y + one.height, two.y + two.height) - max(one.y, two.y)
    return max(wide, 0) * max(high, 0)


def test_no_box_covers_another_or_sticks_out() -> None:
    boxes = squarified([(str(n), 1000 // n) for n in range(1, 30)])
    for at, box in enumerate(boxes):
        assert -1e-9 <= box.x <= box.x + box.width <= 1 + 1e-9
        assert -1e-9 <= box.y <= box.y + box.height <= 1 + 1e-9
        assert all(overlap(box, other) < 1e-9 for other in boxes[at + 1 :])


def test_boxes_are_nearer_to_squares_than_strips_would_be() -> None:
    boxes = squarified([(str(n), 100) for n in range(16)])
    assert max(max(b.width / b.height, b.height / b.width) for b in boxes) < 2

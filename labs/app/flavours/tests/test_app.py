"""What the service promises."""

from app.main import live, ready


def test_it_is_live() -> None:
    assert live() == {"status": "live"}


def test_it_is_ready() -> None:
    assert ready() == {"status": "ready"}

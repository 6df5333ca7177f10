"""How a plain function becomes a check or a fact, and how a lab.toml's settings are bound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from grader import registry
from grader.errors import SpecError
from grader.registry import CHECKS, FACTS, Check, check, fact, load_checks
from grader.results import Result, passed


@pytest.fixture(autouse=True)
def _registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is gone after it."""
    load_checks()
    monkeypatch.setattr(registry, "CHECKS", dict(CHECKS))
    monkeypatch.setattr(registry, "FACTS", dict(FACTS))


def registered(func: Callable[..., Any]) -> Check:
    check(func)
    return registry.CHECKS[f"{func.__module__.rpartition('.')[2]}.{func.__name__}"]


def sample(
    image: object, files: object, *, max_mb: float, names: list[str], what: str = "thing"
) -> Result:
    """At most {max_mb:g} MB, and no {what} ({names})

    More that is no title.
    """
    return passed()


def test_a_check_stays_a_plain_function() -> None:
    assert check(sample) is sample


def test_positional_parameters_are_facts_and_the_others_are_settings() -> None:
    one = registered(sample)
    assert one.name == "test_registry.sample"
    assert one.facts == ("image", "files")
    assert list(one.settings) == ["max_mb", "names", "what"]


def test_the_title_is_the_first_line_with_the_settings_as_words() -> None:
    given = {"max_mb": 1.50, "names": ["a", "b"], "what": "x"}
    assert registered(sample).title(given) == "At most 1.5 MB, and no x (a, b)"


def test_a_check_without_a_docstring_has_its_name_as_title() -> None:
    def bare() -> Result:
        return passed()

    assert registered(bare).title({}) == "test_registry.bare"


def test_defaults_are_filled_in() -> None:
    assert registered(sample).bind({"max_mb": 1, "names": []}) == {
        "max_mb": 1,
        "names": [],
        "what": "thing",
    }


def kinds(
    *,
    number: float = 0,
    whole: int = 0,
    text: str = "",
    yes: bool = False,
    words: list[str] | None = None,
    many: list[float] | None = None,
    either: int | str = 0,
    anything: Any = None,
) -> Result:
    """One of each"""
    return passed()


FITS = [
    ("number", 1, True),
    ("number", 1.5, True),
    ("number", True, False),
    ("number", "1", False),
    ("number", [1], False),
    ("whole", 1, True),
    ("whole", 1.0, False),
    ("whole", False, False),
    ("text", "a", True),
    ("text", 1, False),
    ("text", ["a"], False),
    ("yes", True, True),
    ("yes", 1, False),
    ("yes", "true", False),
    ("words", ["a", "b"], True),
    ("words", [], True),
    ("words", ["a", 1], False),
    ("words", "a", False),
    ("many", [1, 2.5], True),
    ("many", [True], False),
    ("either", 1, True),
    ("either", "a", True),
    ("either", 1.5, False),
    ("either", True, False),
    ("anything", {"a": 1}, True),
]


@pytest.mark.parametrize(("key", "value", "fits"), FITS)
def test_a_setting_must_have_the_type_that_the_check_says(
    key: str, value: object, fits: bool
) -> None:
    one = registered(kinds)
    if fits:
        assert one.bind({key: value})[key] == value
        return
    with pytest.raises(SpecError) as caught:
        one.bind({key: value})
    assert key in str(caught.value)
    assert "kinds" in str(caught.value)


def test_a_typo_in_a_setting_names_it_and_what_there_is() -> None:
    with pytest.raises(SpecError, match=r"'maxmb'.*max_mb, names, what"):
        registered(sample).bind({"maxmb": 1, "names": []})


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(SpecError, match="needs the setting 'names'"):
        registered(sample).bind({"max_mb": 1})


def test_a_check_without_settings_says_so() -> None:
    def bare() -> Result:
        """Bare"""
        return passed()

    with pytest.raises(SpecError, match="it has: none"):
        registered(bare).bind({"x": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_no_number_that_is_none(value: float) -> None:
    """TOML knows nan and inf, and every comparison with nan is false."""
    with pytest.raises(SpecError, match="number"):
        registered(kinds).bind({"number": value})


def test_a_fact_needs_what_its_parameters_name() -> None:
    def colour(image: object, engine: object) -> str:
        return "red"

    assert fact(colour) is colour
    assert registry.FACTS["colour"].needs == ("image", "engine")


def test_every_check_asks_for_facts_that_there_are() -> None:
    load_checks()


def test_a_check_that_asks_for_an_unknown_fact_is_the_authors_mistake() -> None:
    def odd(imgae: object) -> Result:
        """Odd"""
        return passed()

    check(odd)
    with pytest.raises(SpecError, match=r"test_registry.odd .*'imgae'"):
        load_checks()


def test_a_fact_that_asks_for_an_unknown_fact_is_the_authors_mistake() -> None:
    def odd(imgae: object) -> int:
        return 1

    fact(odd)
    with pytest.raises(SpecError, match=r"odd.*'imgae'"):
        load_checks()


def test_facts_that_wait_for_each_other_are_the_authors_mistake() -> None:
    """At run time they would wait for ever."""

    def hen(egg: object) -> int:
        return 1

    def egg(hen: object) -> int:
        return 1

    fact(hen)
    fact(egg)
    with pytest.raises(SpecError, match=r"hen|egg"):
        load_checks()


@pytest.fixture
def every_check() -> list[Check]:
    return [c for name, c in CHECKS.items() if not name.startswith("test_")]


def test_every_check_says_what_it_checks_in_its_title(every_check: list[Check]) -> None:
    assert len(every_check) >= 15
    for one in every_check:
        assert one.run.__doc__, one.name
        assert not one.run.__doc__.splitlines()[0].endswith("."), one.name


def test_two_facts_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second would take the first one's place, and another check would get it."""

    def elsewhere() -> int:
        return 1

    monkeypatch.setattr(elsewhere, "__name__", "context")
    with pytest.raises(SpecError, match=r"Two facts are called context: in grader\.facts"):
        registry.fact(elsewhere)
    assert registry.FACTS["context"].work.__module__ == "grader.facts"

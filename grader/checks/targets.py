"""The targets of one Dockerfile: what is in each, what they share, and whether the tests count."""

from __future__ import annotations

from itertools import takewhile

from grader.engine import Image
from grader.flavours import Flavour
from grader.rebuilds import Installed
from grader.registry import check
from grader.results import Result, failed, passed
from grader.targets import TESTS, Gated, Targets, Tried


@check
def there(targets: Targets) -> Result:
    """It can be built with --target dev, test and prod"""
    return passed(", ".join(f.name for f in (targets.dev, targets.test, targets.prod)))


@check
def tools(targets: Targets, *, packages: list[str]) -> Result:
    """The target dev has what one develops with: {packages}"""
    lost = [name for name in packages if not targets.dev.has(name)]
    if not lost:
        return passed(", ".join(packages))
    return failed(
        f"--target dev gives an image without {', '.join(lost)}. Install"
        " requirements-development.txt in that stage."
    )


@check
def lean(targets: Targets, *, packages: list[str]) -> Result:
    """The target prod has none of {packages}, and no tests"""
    found = [name for name in packages if targets.prod.shows(name)]
    name = TESTS.rpartition("/")[2]
    found += sorted(path for path in targets.prod.paths if path.endswith(f"/{name}"))
    if not found:
        return passed("none of it")
    return failed(
        f"--target prod gives an image with {', '.join(found[:5])}. Let that stage begin where the"
        " other ones begin, not where they end, and copy into it what is served alone.",
        found=found[:50],
    )


@check
def default(targets: Targets, image: Image) -> Result:
    """Built without --target it is prod"""
    ours = Flavour("", image)
    same = image.layers == targets.prod.image.layers and ours.settings == targets.prod.settings
    if same:
        return passed("the same layers and settings")
    twins = (targets.dev, targets.test)
    other = next((f.name for f in twins if f.image.layers == image.layers), "another one")
    return failed(
        f"Without --target the image is {other}, not prod. The last stage of the file is what a"
        " plain `docker build` gives: put prod last."
    )


@check
def shared(targets: Targets, installed: Installed) -> Result:
    """dev and prod have the layers with the packages of requirements.txt in common"""
    if not installed.layers:
        return failed(
            "No layer of prod holds the packages of requirements.txt. Install them from that file."
        )
    common = _common(targets.dev.image.layers, targets.prod.image.layers)
    apart = [layer for layer in installed.layers if layer not in common]
    if not apart:
        return passed(f"{len(common)} layers in common", layers=len(common))
    return failed(
        f"dev and prod have their first {len(common)} layers in common, and the packages lie above"
        " them: what is tested are other files than what is shipped. Install them once, in a"
        " stage that both begin from.",
        layers=len(common),
    )


@check
def test_runs(tested: Tried) -> Result:
    """--target test stops when the program is wrong or a test fails, and only then"""
    if not tested.comment.built:
        return failed(
            f"A comment was added to the program and its tests, and {_stop(tested.comment.line)}."
            " A test stage must stop for what is wrong alone.",
            line=tested.comment.line,
        )
    if tested.program.built:
        return failed(
            "The program was made to answer something else, which the given tests notice, and"
            " --target test was built all the same. Run pytest in a RUN of that stage, on the"
            " program of this build, and let its exit status count."
        )
    if tested.test.built:
        return failed(
            f"A test that fails was added to {TESTS}, and --target test was built all the same."
            " Copy the tests of this build, and run them all."
        )
    return passed("it stops for both", line=tested.program.line)


@check
def gate(gated: Gated) -> Result:
    """A program that fails its tests gives no prod image"""
    if not gated.comment.built:
        return failed(
            f"A comment was added to the program, and {_stop(gated.comment.line)} in a build of"
            " prod.",
            line=gated.comment.line,
        )
    if gated.program.built:
        return failed(
            "With a program that fails its tests, --target prod was built all the same: BuildKit"
            " leaves out each stage that nothing is needed of. Let prod need something that is"
            " made only when the tests have passed."
        )
    return passed("prod needs the tests", line=gated.program.line)


def _stop(line: int | None) -> str:
    return f"the build stopped at line {line}" if line else "the build stopped"


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    """The layers from the base up that both have."""
    pairs = zip(one, other, strict=False)
    return tuple(layer for layer, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

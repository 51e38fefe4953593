"""The image shop on a real engine: once, whole or not at all, and never believed unseen."""

from __future__ import annotations

import multiprocessing
import os
import re
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import docker
import platformdirs
import pytest
from docker.errors import DockerException, ImageNotFound

from harness.catalog.builds import Build, base_suite
from harness.docker_engine.cancel import Cancelled
from harness.errors import BuildError, ExitCode, HarnessError
from harness.images import labels as names
from harness.images.image import Image
from harness.images.image_builder import ImageBuilder
from harness.images.provenance import check_versions, read_versions
from harness.images.recipe import Recipe, RecipeKind
from harness.images.recipes import base_recipe, build_recipe
from harness.paths import images_dir

pytestmark = pytest.mark.docker

#: On every image that a test makes, so that all of them can be found again.
TEST_LABEL = "org.postfix-matrix.test"


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    """The engine."""
    client = docker.from_env(timeout=600)
    yield client
    client.close()


@pytest.fixture(scope="module")
def parent(client: docker.DockerClient) -> Image:
    """The debian-12 build: a real Postfix to stand on, made by the shop itself if need be."""
    return _real_shop(client).ensure(build_recipe(Build.parse("debian-12")))


@pytest.fixture
def mark(client: docker.DockerClient) -> Iterator[str]:
    """A value of the test's own for TEST_LABEL; all that carries it is removed in the end."""
    mark = secrets.token_hex(8)
    yield mark
    for image in _marked(client, mark):
        with suppress(DockerException):
            client.images.remove(str(image.id), force=True)


def _real_shop(client: docker.DockerClient) -> ImageBuilder:
    cache = Path(platformdirs.user_cache_dir("postfix-matrix"))
    return ImageBuilder(client, images_dir=images_dir(), cache_dir=cache, on_step=_quiet)


def _quiet(_: str, __: str) -> None:
    """For what is of no interest to a test."""


def _marked(client: docker.DockerClient, mark: str) -> list[Any]:
    return client.images.list(all=True, filters={"label": f"{TEST_LABEL}={mark}"})


def _shop(
    client: docker.DockerClient, root: Path, on_step: Callable[[str, str], None] = _quiet
) -> ImageBuilder:
    return ImageBuilder(
        client, images_dir=root / "images", cache_dir=root / "cache", on_step=on_step
    )


def _recipe(
    root: Path,
    mark: str,
    base: str,
    lines: str,
    *,
    kind: RecipeKind = RecipeKind.PART,
    labels: Mapping[str, str] | None = None,
) -> Recipe:
    """A recipe on an image that is there; its images carry the test's mark from the first step."""
    folder = root / "images" / "thing"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Dockerfile").write_text(f"FROM {base}\nLABEL {TEST_LABEL}={mark}\n{lines}\n")
    return Recipe(f"test-{mark}", kind, "thing", labels=labels or {})


def _exists(client: docker.DockerClient, reference: str) -> bool:
    try:
        client.images.get(reference)
    except ImageNotFound:
        return False
    return True


def _until(condition: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _running(client: docker.DockerClient, word: str) -> bool:
    """Whether any container's command has this word."""
    # Other tests' containers come and go between the list and its details.
    found = client.containers.list(all=True, ignore_removed=True)
    commands = [one.attrs["Config"]["Cmd"] or [] for one in found]
    return any(word in " ".join(command) for command in commands)


def _ensure_elsewhere(root: Path, recipe: Recipe, go: Event, results: Any) -> None:
    """What another process does: wait for the signal, ensure, hand back id and steps."""
    # A shell's background job passes an ignored SIGINT on to all that it starts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    steps: list[str] = []
    shop = _shop(docker.from_env(timeout=600), root, lambda _, text: steps.append(text))
    go.wait(60)
    results.put((shop.ensure(recipe).id, steps))


def test_two_processes_build_an_image_once(parent: Image, mark: str, tmp_path: Path) -> None:
    """Two runs started at the same time share one build, and both get its image."""
    once = "RUN cat /proc/sys/kernel/random/uuid >/once && sleep 1"
    recipe = _recipe(tmp_path, mark, parent.reference, once)
    spawn = multiprocessing.get_context("spawn")
    go, results = spawn.Event(), spawn.Queue()
    target_args = (tmp_path, recipe, go, results)
    both = [
        spawn.Process(target=_ensure_elsewhere, args=target_args, daemon=True) for _ in range(2)
    ]
    for process in both:
        process.start()
    go.set()
    (first, steps), (second, other_steps) = results.get(timeout=120), results.get(timeout=120)
    for process in both:
        process.join(30)
    assert first == second
    built = [text for text in (*steps, *other_steps) if text.startswith("built in")]
    assert len(built) == 1


def test_what_is_there_is_not_built_again(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """A warm run does nothing for an image that has its tag, and a changed file makes a new one."""
    steps: list[str] = []
    shop = _shop(client, tmp_path, lambda _, text: steps.append(text))
    recipe = _recipe(tmp_path, mark, parent.reference, "RUN true")
    made = shop.ensure(recipe)
    assert steps
    steps.clear()
    assert shop.ensure(recipe) == made
    assert steps == []
    changed = shop.ensure(_recipe(tmp_path, mark, parent.reference, "RUN true && true"))
    assert changed.reference != made.reference
    assert changed.id != made.id


def test_a_build_reports_its_begin_its_commands_and_its_end(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """Progress needs the stage of a build script, and an estimate once there is one."""
    begun: list[tuple[str, float | None]] = []
    steps: list[str] = []
    builder = ImageBuilder(
        client,
        images_dir=tmp_path / "images",
        cache_dir=tmp_path / "cache",
        on_step=lambda _, text: steps.append(text),
        on_begin=lambda name, expected: begun.append((name, expected)),
    )
    recipe = _recipe(tmp_path, mark, parent.reference, "RUN echo '+ make -j2 all'")
    builder.ensure(recipe)
    assert begun == [(recipe.name, None)]
    assert any(re.fullmatch(r"Step 3/\d+ : make -j2 all", step) for step in steps)
    assert steps[-2].startswith("built in ")
    assert steps[-1] == "", "nothing is being done any more"
    builder.ensure(_recipe(tmp_path, mark, parent.reference, "RUN echo '+ make install'"))
    (_, (name, expected)) = begun
    assert name == recipe.name
    assert expected is not None


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=lambda number: number.name)
def test_a_killed_build_leaves_nothing_that_counts(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path, number: signal.Signals
) -> None:
    """However it ends there is no tag, no container and no lock: the next one simply builds."""
    word = f"killed-{mark}"
    lines = f'RUN [ -e /proc/never ] || sh -c ": {word}; sleep 3600"'
    recipe = _recipe(tmp_path, mark, parent.reference, lines)
    spawn = multiprocessing.get_context("spawn")
    go, results = spawn.Event(), spawn.Queue()
    go.set()
    process = spawn.Process(
        target=_ensure_elsewhere, args=(tmp_path, recipe, go, results), daemon=True
    )
    process.start()
    assert _until(lambda: _running(client, word)), "the build did not come to its step"
    assert process.pid is not None
    os.kill(process.pid, number)
    process.join(10)
    assert _until(lambda: not _running(client, word)), "the build's container outlived it"
    assert not _exists(client, _shop(client, tmp_path).reference(recipe))
    # The same recipe's lock is free, and the build starts anew.
    again = _recipe(tmp_path, mark, parent.reference, lines)
    shop = _shop(client, tmp_path)
    errors: list[HarnessError] = []
    thread = _start(shop, again, errors)
    assert _until(lambda: _running(client, word)), "a dead process still holds the lock"
    shop.cancel()
    thread.join(15)
    assert not thread.is_alive()


def _start(shop: ImageBuilder, recipe: Recipe, errors: list[HarnessError]) -> threading.Thread:
    """Ensure in a thread; one that a failed test leaves must not keep pytest from ending."""
    thread = threading.Thread(target=_collect, args=(shop, recipe, errors), daemon=True)
    thread.start()
    return thread


def _collect(shop: ImageBuilder, recipe: Recipe, errors: list[HarnessError]) -> None:
    try:
        shop.ensure(recipe)
    except HarnessError as error:
        errors.append(error)


def test_cancelling_ends_builds_and_waiters(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """Ctrl-C ends the builder and whoever waits for it, soon, and no image gets the tag."""
    word = f"cancelled-{mark}"
    lines = f'RUN sh -c ": {word}; sleep 3600"'
    recipe = _recipe(tmp_path, mark, parent.reference, lines)
    shop = _shop(client, tmp_path)
    errors: list[HarnessError] = []
    threads = [_start(shop, recipe, errors) for _ in range(2)]
    assert _until(lambda: _running(client, word))
    started = time.monotonic()
    shop.cancel()
    for thread in threads:
        thread.join(10)
    assert time.monotonic() - started < 5
    assert [type(error) for error in errors] == [Cancelled, Cancelled]
    assert all(error.exit_code is ExitCode.INTERRUPTED for error in errors)
    assert _until(lambda: not _running(client, word))
    assert not _exists(client, shop.reference(recipe))


def test_a_failing_step_shows_the_end_of_the_log(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """The compiler's own words are in the error, and all of the log is in a file."""
    lines = "RUN seq 1000 1040\nRUN echo tls_server.c:1: no such member; exit 7"
    recipe = _recipe(tmp_path, mark, parent.reference, lines)
    shop = _shop(client, tmp_path)
    with pytest.raises(BuildError) as caught:
        shop.ensure(recipe)
    said = str(caught.value)
    assert "tls_server.c:1: no such member" in said
    assert "non-zero code: 7" in said
    assert "1001" not in said, "the tail has a bound"
    (log,) = (tmp_path / "cache" / "logs").iterdir()
    assert str(log) in said
    assert "1001" in log.read_text()
    assert not _exists(client, shop.reference(recipe))


def test_a_second_try_starts_where_the_first_one_failed(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """After minutes of compiling, a mirror's hiccup in a later step must not cost them again."""
    shop = _shop(client, tmp_path)
    slow = "RUN cat /proc/sys/kernel/random/uuid >/slow"
    with pytest.raises(BuildError):
        shop.ensure(_recipe(tmp_path, mark, parent.reference, f"{slow}\nRUN exit 1"))
    shop.ensure(_recipe(tmp_path, mark, parent.reference, f"{slow}\nRUN exit 0"))
    logs = [log.read_text() for log in (tmp_path / "cache" / "logs").iterdir()]
    assert sum("Using cache" in log for log in logs) == 1


def test_other_stages_do_not_stay(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """What is left of a build is its image: compilers' stages are hundreds of megabytes each."""
    lines = f"RUN true\nFROM {parent.reference}\nLABEL {TEST_LABEL}={mark}\nRUN true"
    made = _shop(client, tmp_path).ensure(_recipe(tmp_path, mark, parent.reference, lines))
    dangling = {"dangling": True, "label": f"{TEST_LABEL}={mark}"}
    assert client.images.list(filters=dangling) == []
    assert _exists(client, made.reference)
    assert _exists(client, parent.reference), "what the stages start from is not ours to remove"


def test_a_full_disk_is_told_as_such(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """ENOSPC in a step is about the disk, not about the recipe. /dev/full is a full disk."""
    recipe = _recipe(tmp_path, mark, parent.reference, "RUN cat /etc/passwd >/dev/full")
    with pytest.raises(BuildError, match="no room on the disk") as caught:
        _shop(client, tmp_path).ensure(recipe)
    assert caught.value.next_step


def test_a_build_whose_labels_lie_never_gets_its_tag(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """A build from source that comes out as another version is an error, and is not kept."""
    lie = {names.POSTFIX: "3.7.10", names.OPENSSL: parent.labels[names.OPENSSL]}
    recipe = _recipe(tmp_path, mark, parent.reference, "", kind=RecipeKind.SOURCE, labels=lie)
    shop = _shop(client, tmp_path)
    with pytest.raises(BuildError, match=r"says Postfix 3\.7\.10, but it runs 3\.7\.\d+"):
        shop.ensure(recipe)
    assert not _exists(client, shop.reference(recipe))
    assert _marked(client, mark) == []


def test_a_lying_image_under_the_right_tag_is_refused(
    client: docker.DockerClient, parent: Image, mark: str, tmp_path: Path
) -> None:
    """Somebody's image under our tag is read back before it is believed, now and every time."""
    lie = {names.POSTFIX: parent.labels[names.POSTFIX], names.OPENSSL: "1.0.2h"}
    lying = _recipe(tmp_path, mark, parent.reference, "RUN true", labels=lie)
    shop = _shop(client, tmp_path)
    made = shop.ensure(lying)
    build = _recipe(
        tmp_path, mark, parent.reference, "RUN true", kind=RecipeKind.SOURCE, labels=lie
    )
    repository, _, tag = shop.reference(build).rpartition(":")
    client.images.get(made.reference).tag(repository, tag)
    for _ in range(2):
        with pytest.raises(BuildError, match=r"says OpenSSL 1\.0\.2h, but it runs"):
            shop.ensure(build)


def test_a_distributions_versions_are_read_back(client: docker.DockerClient, parent: Image) -> None:
    """The labels of a distribution's build are what runs in it, down to its packages."""
    found = read_versions(client, parent.reference)
    assert parent.labels[names.POSTFIX] == found.postfix
    assert parent.labels[names.OPENSSL] == found.openssl_loaded == found.openssl_cli
    assert f"postfix {found.postfix}-" in parent.labels[names.PACKAGES]
    assert parent.labels[names.CONTRACT] == "1"
    assert parent.labels[names.BUILD] == "debian-12"


def test_what_was_checked_is_not_run_again(
    client: docker.DockerClient, parent: Image, tmp_path: Path
) -> None:
    """The check of a warm run costs a file, not a container: half a second for each build."""
    check_versions(client, parent.id, "debian-12", parent.labels, tmp_path)
    started = time.monotonic()
    check_versions(client, parent.id, "debian-12", parent.labels, tmp_path)
    assert time.monotonic() - started < 0.05


def test_an_image_without_postfix_is_refused(client: docker.DockerClient) -> None:
    """What has no Postfix to ask is told as such."""
    base = _real_shop(client).ensure(base_recipe(base_suite()))
    with pytest.raises(BuildError, match="its Postfix could not be read back"):
        read_versions(client, base.reference)


def test_no_container_of_a_read_back_stays(client: docker.DockerClient, parent: Image) -> None:
    """What was started to ask an image is removed, with the labels it was given until then."""
    label = f"org.postfix-matrix.run=test-{secrets.token_hex(4)}"
    key, _, value = label.partition("=")
    read_versions(client, parent.reference, labels={key: value})
    assert client.containers.list(all=True, filters={"label": label}) == []

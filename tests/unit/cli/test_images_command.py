"""``images`` without Docker: what is chosen, shown and counted as a failure; additions."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import docker
import pytest

from harness.catalog.builds import Build, UserAdditions
from harness.catalog.clients import all_clients
from harness.catalog.releases import Release, Source, SourceKind
from harness.cli.commands.images import (
    _entry_lines,
    _format_report,
    _is_failure,
    _print_errors,
    _result_table,
)
from harness.cli.image_selection import choose_orders
from harness.cli.main import run_cli
from harness.cli.output import HarmlessConsole
from harness.cli.printing import print_text
from harness.cli.source_options import read_additions
from harness.conformance.image_checks import (
    Check,
    CheckVerdict,
    ImageReport,
)
from harness.errors import DoesNotBuildError, ExitCode, InfrastructureError, UsageError
from harness.images.batch_build import (
    BuildResult,
    BuildState,
    Orderable,
    build_all,
    list_orderables,
    order_name,
)
from harness.images.image_builder import ImageBuilder
from harness.images.image_states import ImageState
from harness.images.recipes import base_recipe, build_recipe
from harness.observations.run_folder import RunData, load_run
from harness.observations.run_json import Missing
from harness.paths import images_dir
from harness.run.job import exit_code
from tests.unit.sample_run import write_sample_run
from tests.unit.sources_server import Answer, Server, serving

PAIR = "postfix-3.7.11+openssl-1.1.1w"
OFF_LIST = ("postfix-3.4.27+openssl-1.0.2h", "postfix-3.4.27+openssl-1.0.2u")
#: As linkers and compilers say it: each is markup, or an error, to the table's library.
LINKER = "[/usr/lib/x.a(y.o)]: undefined reference"
WARNING = "x.c:1: error: no [enabled by default]"


def _adding(product: str, version: str) -> UserAdditions:
    source = Source(
        SourceKind.LOCAL, "a" * 64, 0, f"{product}-{version}", path="/tmp/x.tar", origin="/home/me"
    )
    release = Release(product, version, None, (source,))
    return UserAdditions({release.id: release})


def _shown(table: object) -> str:
    console = HarmlessConsole(file=io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("message", [LINKER, WARNING])
def test_a_compilers_words_are_shown_as_they_are(message: str) -> None:
    """A bracket of a linker's is no markup: it must neither vanish nor end the command."""
    refused = BuildResult("pair", BuildState.REFUSED, 1.0, error=DoesNotBuildError("pair", message))
    assert message in _shown(_result_table([refused]))
    lines = _entry_lines([ImageState("pair", "r:1", f"does not build: {message}")], 300)
    assert any(message in line for line in lines)


def test_no_word_of_a_build_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A log or a label may hold a terminal's escapes; they are shown, not obeyed."""
    refused = BuildResult(
        "pair", BuildState.REFUSED, 1.0, error=DoesNotBuildError("pair", "\x1b]0;x\x07")
    )
    assert "\\x1b]0;x" in _shown(_result_table([refused]))
    lines = _entry_lines([ImageState("pair", "r:1", "there", "\x1b3.7")], 80)
    assert "\\x1b3.7" in "\n".join(lines)
    _print_errors([refused])
    assert "\\x1b]0;x" in capsys.readouterr().err


def test_no_word_of_an_image_drives_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """'images check' is for strangers' images: what they print is shown, not obeyed."""
    check = Check("quiet", "nothing else is printed", CheckVerdict.FAILED, "it said \x1b]0;x\x07")
    print_text(_format_report(ImageReport("theirs:1", "sha256:0", (check,), None)))
    report = capsys.readouterr().out
    assert "it said \\x1b]0;x\\x07" in report
    assert "theirs:1 does not keep the image contract" in report


def test_what_was_refused_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    """Where the whole log is, and how to try again, is of use for a finding too."""
    error = DoesNotBuildError("pair", "x.c: error", next_step="the whole log is /x.log")
    _print_errors([BuildResult("pair", BuildState.REFUSED, 1.0, error=error)])
    assert "/x.log" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "state", "is_failure"),
    [
        (PAIR, BuildState.REFUSED, False),
        ("openssl-1.1.1w-stock", BuildState.REFUSED, False),
        ("client-openssl-1.0.2h", BuildState.REFUSED, True),
        ("control-openssl-1.0.2h", BuildState.REFUSED, True),
        ("sasl", BuildState.REFUSED, True),
        ("sasl", BuildState.BUILT, False),
        (PAIR, BuildState.UNREACHED, True),
        (PAIR, BuildState.FAILED, True),
    ],
)
def test_only_a_build_under_test_may_fail_to_build(
    name: str, state: BuildState, *, is_failure: bool
) -> None:
    """That a release does not build is an answer; without a client there is none to be had."""
    assert _is_failure(list_orderables()[name], state) is is_failure


@pytest.mark.parametrize(
    ("kind", "category", "code"),
    [
        ("build", "does-not-build", ExitCode.OK),
        ("client", "does-not-build", ExitCode.INFRASTRUCTURE),
        ("control", "does-not-build", ExitCode.INFRASTRUCTURE),
        ("build", "source", ExitCode.INFRASTRUCTURE),
    ],
)
def test_a_run_without_one_of_its_helpers_has_failed(
    tmp_path: Path, kind: str, category: str, code: ExitCode
) -> None:
    """CI must not take a run whose client did not build for a good one."""
    data = load_run(write_sample_run(tmp_path))
    run = replace(data.run, missing=(Missing("thing", kind, "x.c: error", category),))
    assert exit_code(RunData(data.folder, run, ())) == code


def test_pairs_by_their_whole_ids_are_chosen_as_run_chooses_them() -> None:
    """What 'run -b' takes, 'images build' takes: also several pairs with commas between."""
    orders = choose_orders((",".join(OFF_LIST),), UserAdditions())
    assert [name for name in orders if "+" in name] == list(OFF_LIST)


def test_a_glob_that_takes_away_leaves_the_default() -> None:
    """As with 'run': nobody gets every pair of the catalog by leaving one out."""
    default = choose_orders((), UserAdditions())
    without = choose_orders(("!debian-11",), UserAdditions())
    assert list(without) == [name for name in default if name != "debian-11"]


def test_a_part_can_be_tried_again_by_its_name() -> None:
    """The next step that a refusal names must work for what no list shows."""
    objects = build_recipe(Build.parse(PAIR)).parents["OBJECTS"]
    assert objects.name not in list_orderables()
    assert [
        order_name(order) for order in choose_orders((objects.name,), UserAdditions()).values()
    ] == [objects.name]


def test_a_source_that_no_chosen_image_is_made_from_is_told() -> None:
    """Otherwise the catalog's release is built, and taken for the user's tree."""
    with pytest.raises(UsageError, match=r"nothing that was chosen is made from postfix-3\.10\.13"):
        choose_orders((PAIR,), _adding("postfix", "3.10.13"))
    additions = _adding("openssl", "1.1.1w")
    assert "openssl-1.1.1w-stock" in choose_orders(("openssl-1.1.1w-stock",), additions)
    assert PAIR in choose_orders((PAIR,), additions)


def test_a_name_given_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of two images or sources of one name the last would win without a word."""
    with pytest.raises(UsageError, match="--image names mine twice"):
        read_additions((), ("mine=a:1", "mine=b:1"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("one", "two"):
        tree = tmp_path / name / "src" / "global"
        tree.mkdir(parents=True)
        (tree / "mail_version.h").write_text('#define MAIL_VERSION_NUMBER "3.7.11"\n')
        (tmp_path / name / "makedefs").write_text("")
    options = [f"--source=postfix-3.7.11={tmp_path / name}" for name in ("one", "two")]
    assert run_cli(["images", "list", *options]) == ExitCode.USAGE
    assert "--source names postfix-3.7.11 twice" in capsys.readouterr().err


def test_list_takes_no_mirror(capsys: pytest.CaptureFixture[str]) -> None:
    """It fetches nothing; an option without an effect would hide that."""
    assert run_cli(["images", "list", "--mirror", "https://mirror.example.org"]) == ExitCode.USAGE
    assert "--mirror" in capsys.readouterr().err


class _Engine(BaseHTTPRequestHandler):
    """An engine that has no image, says that it pulled one, and still has none."""

    def do_GET(self) -> None:
        self._answer(404, b'{"message": "No such image: x"}')

    def do_POST(self) -> None:
        self._answer(200, b"")

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: standard error is the test's."""

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    """A client of the engine above."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        url = f"tcp://127.0.0.1:{server.server_port}"
        client = docker.DockerClient(base_url=url, version="1.41")
        yield client
        client.close()
        server.shutdown()
        thread.join()


def test_one_orders_trouble_is_its_own(engine: docker.DockerClient, tmp_path: Path) -> None:
    """The engine's or a file's trouble fails the order that meets it, with an error to act on."""
    builder = ImageBuilder(
        engine, images_dir=images_dir(), cache_dir=tmp_path, on_step=lambda *_: None
    )
    (tmp_path / "locks").rmdir()
    (tmp_path / "locks").write_text("in the way")
    orders: dict[str, Orderable] = {
        "base-bookworm": base_recipe("bookworm"),
        "mine": Build("mine", "image", "", reference="mine:1"),
    }
    results = {result.name: result for result in build_all(builder, orders, lambda _: None)}
    assert {name: result.state for name, result in results.items()} == dict.fromkeys(
        orders, BuildState.FAILED
    )
    for name, message in {
        "base-bookworm": "locks",
        "mine": "Docker: making the image of mine failed",
    }.items():
        error = results[name].error
        assert isinstance(error, InfrastructureError)
        assert message in error.what
        assert error.next_step


def test_without_a_glob_the_clients_are_those_of_a_run_without_one() -> None:
    """Protects a first build from the whole fleet: clients that must be asked for are not made."""
    default_clients = {f"client-{client.name}" for client in all_clients() if not client.unasked}
    assert default_clients.isdisjoint(choose_orders((), UserAdditions()))
    assert "client-openssl-1.0.2h" in choose_orders((), UserAdditions())
    assert default_clients <= set(choose_orders(("client-*",), UserAdditions()))


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    """A server that stands for all hosts: the proxy that every request goes to. No archive is here.

    It passes no https on, so these hosts are not reached.
    """
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("no_proxy", raising=False)
    with serving() as server:
        for name in ("http_proxy", "https_proxy"):
            monkeypatch.setenv(name, server.url)
            monkeypatch.delenv(name.upper(), raising=False)
        yield server


def test_what_is_reachable_is_listed_without_an_engine(
    internet: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects a user who chooses what to build: one command says what there is, and what is not.

    Standard output has the list alone; which places are asked is on standard error.
    """
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    pool = "http://archive.ubuntu.com/ubuntu/pool/main/o/openssl/openssl_1.1.0g.orig.tar.gz"
    internet.answers[pool] = Answer()
    assert run_cli(["images", "list", "--reachable", "openssl-1.1.0*"]) == ExitCode.OK
    listed, shown = capsys.readouterr()
    assert "looking for 9 files at www.openssl.org" in shown
    (row,) = [line for line in listed.splitlines() if line.startswith("1.1.0")]
    assert row.split() == ["1.1.0", "9", "1", "8", "0", "Ubuntu's", "pool:", "1.1.0g"]
    assert "www.openssl.org, github.com: Tunnel connection failed: 501" in listed
    assert internet.heads == [pool]
    assert internet.requests == []
    assert run_cli(["images", "list", "--reachable", "openssl-1.1.0g", "--json"]) == ExitCode.OK
    data = json.loads(capsys.readouterr().out)
    assert data["branches"][0]["releases"][0]["place"] == "Ubuntu's pool"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--mirror", "https://mirror.example.org"], "--mirror has no use without --reachable"),
        (["--reachable", "openssl-9*"], "'postfix-matrix catalog list' shows each release"),
    ],
)
def test_a_selection_without_effect_is_refused(
    arguments: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Protects against a silent nothing: it is reported before any place is asked."""
    assert run_cli(["images", "list", *arguments]) == ExitCode.USAGE
    assert text in capsys.readouterr().err

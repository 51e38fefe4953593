"""Settings of the machine and of the surroundings, drawn by chance: none changes an answer.

Each stands alone beside a small whole configuration. With it every cell must be what it is without
it: the same outcome, for the same reason, in the same TLS version.
"""

from __future__ import annotations

import random
import tomllib
from pathlib import Path

import pytest

from harness.adaptation.setting_kinds import (
    SettingKind,
    rule_of,
)
from harness.observations.record import Observation
from scripts.setting_names import read_list
from tests.docker.conftest import run_cli, write_scenarios

pytestmark = pytest.mark.docker

HERE = Path(__file__).parent
#: The draw's seed, and how many settings are drawn.
SEED, COUNT = 20261130, 60
BUILD, RELEASE = "debian-12", "3.7.11"

#: Whole: the administrator's own certificate lines and level, and nothing older than TLSv1.2.
WHOLE = """\
compatibility_level = 3.6
smtpd_tls_cert_file = /etc/ssl/certs/ssl-cert-snakeoil.pem
smtpd_tls_key_file = /etc/ssl/private/ssl-cert-snakeoil.key
smtpd_tls_security_level = may
smtpd_tls_protocols = >=TLSv1.2
smtpd_tls_mandatory_protocols = >=TLSv1.2
smtp_tls_security_level = may
smtp_tls_protocols = >=TLSv1.2
"""
WITHOUT = "without"
CLIENT = "aiosmtplib-debian12"
#: How many of the configurations one run has.
RUN_SIZE = 12

#: By scenario, and by service/client/offer: outcome, reason, and the TLS version that was seen.
Answers = dict[str, dict[str, tuple[str, str | None, str | None]]]


#: All realistic values at once.
TOGETHER = "together"
VALUES: dict[str, str] = tomllib.loads((HERE / "realistic_settings.toml").read_text("utf-8"))


def drawn_settings() -> dict[str, str]:
    """The settings: name and value. All names are shuffled, so a change of one kind moves few."""
    spans = read_list((HERE.parent / "unit/data/postconf-d.txt").read_text("utf-8")).spans
    names = sorted(spans)
    random.Random(SEED).shuffle(names)
    replaced = [name for name in names if rule_of(name).kind is not SettingKind.UNDER_TEST]
    there = [name for name in replaced if spans[name].is_in(RELEASE)]
    return {name: VALUES[name] for name in there[:COUNT]}


DRAWN = drawn_settings()
#: Settings that `make test` measures; the others are measured by night.
FEW = 8
CASES = [
    pytest.param(name, marks=[] if number < FEW else [pytest.mark.nightly])
    for number, name in enumerate(DRAWN)
]


@pytest.fixture(scope="module")
def chosen(request: pytest.FixtureRequest) -> list[str]:
    """The settings that this run of the tests is about: what nothing asks for is not measured."""
    functions = (item for item in request.session.items if isinstance(item, pytest.Function))
    named = {item.callspec.params.get("name") for item in functions if hasattr(item, "callspec")}
    return [name for name in DRAWN if name in named]


@pytest.fixture(scope="module")
def received(tmp_path_factory: pytest.TempPathFactory, chosen: list[str]) -> Answers:
    """All of them as servers, and the configuration without any."""
    words = ("-c", CLIENT, "-o", "TLSv1,TLSv1.2,plaintext")
    return measure(tmp_path_factory.mktemp("draw"), chosen, ("smtp", "submission"), *words)


@pytest.fixture(scope="module")
def sent(tmp_path_factory: pytest.TempPathFactory, chosen: list[str]) -> Answers:
    """All of them as senders to a peer."""
    words = ("-c", "peer-mx", "-o", "TLSv1,TLSv1.2,default")
    return measure(tmp_path_factory.mktemp("draw-sent"), chosen, ("outbound",), *words)


def measure(root: Path, settings: list[str], services: tuple[str, ...], *words: str) -> Answers:
    """What each cell gave on the build; in several runs, so that a slow machine keeps up."""
    texts = {WITHOUT: (WHOLE, ""), TOGETHER: (WHOLE + lines_of(VALUES), "")}
    texts |= {scenario_of(name): (WHOLE + lines_of({name: DRAWN[name]}), "") for name in settings}
    folder = write_scenarios(root, texts)
    extent = f'configuration = "whole"\nservices = [{", ".join(map(repr, services))}]\n'
    for description in folder.glob("*/scenario.toml"):
        description.write_text(extent + description.read_text("utf-8"), "utf-8")
    found: Answers = {}
    for start in range(0, len(texts), RUN_SIZE):
        scenarios = ",".join([*texts][start : start + RUN_SIZE])
        folders = ("--scenarios-dir", str(folder), "-s", scenarios)
        done = run_cli(root / f"runs-{start}", *folders, "-b", BUILD, *words)
        cells = [one for one in done.data.observations if one.build == BUILD]
        assert len(cells) == done.data.run.axes.planned(), done.err[-2000:]
        for cell in cells:
            where = cell.cell.split("/", 2)[2]
            answer = (str(cell.outcome), cell.reason, protocol_of(cell))
            found.setdefault(cell.scenario, {})[where] = answer
    return found


def lines_of(settings: dict[str, str]) -> str:
    """Settings as they stand in main.cf."""
    return "".join(f"{name} = {value}\n" for name, value in settings.items())


def scenario_of(name: str) -> str:
    """The id of a setting's scenario; ids have no underscore."""
    return f"draw-{name.replace('_', '-').lower()}"


def protocol_of(one: Observation) -> str | None:
    """The TLS version that the client saw."""
    return None if one.client_saw is None else one.client_saw.protocol


@pytest.mark.parametrize("name", CASES)
def test_no_setting_changes_what_clients_get(received: Answers, name: str) -> None:
    """Protects answers against the container: what is not there is replaced, and only that."""
    assert received[scenario_of(name)] == received[WITHOUT]


@pytest.mark.parametrize("name", CASES)
def test_no_setting_changes_how_mail_is_sent(sent: Answers, name: str) -> None:
    """Protects the other direction, where smtp(8), qmgr(8) and sendmail(1) read the settings."""
    assert sent[scenario_of(name)] == sent[WITHOUT]


def test_all_of_them_at_once_change_nothing(received: Answers, sent: Answers) -> None:
    """Protects real configurations, which have many of these settings, and not one each."""
    assert received[TOGETHER] == received[WITHOUT]
    assert sent[TOGETHER] == sent[WITHOUT]


def test_the_configuration_itself_gives_different_answers(received: Answers) -> None:
    """Protects the comparison: TLSv1 is refused, TLSv1.2 accepted, and all services were asked."""
    cells = received[WITHOUT]
    assert cells[f"smtp/{CLIENT}/TLSv1"][0] == "refused"
    assert cells[f"smtp/{CLIENT}/TLSv1.2"] == ("accepted", None, "TLSv1.2")
    assert cells[f"smtp/{CLIENT}/plaintext"][0] == "plaintext"
    assert cells[f"submission/{CLIENT}/TLSv1.2"] == ("accepted", None, "TLSv1.2")


def test_mail_is_sent_in_one_version_and_not_in_another(sent: Answers) -> None:
    """Protects the comparison of the other direction."""
    cells = sent[WITHOUT]
    assert cells["outbound/peer-mx/TLSv1.2"] == ("accepted", None, "TLSv1.2")
    assert cells["outbound/peer-mx/TLSv1"][0] == "refused"


def test_sixty_are_drawn_of_both_kinds() -> None:
    """Protects the draw: sixty settings, of which many are replaced."""
    assert len(DRAWN) == COUNT
    kinds = {rule_of(name).kind for name in DRAWN}
    assert kinds == {SettingKind.MACHINE, SettingKind.SURROUNDINGS}

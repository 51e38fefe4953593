"""``explain`` of a whole configuration: which lines are looked at, which act, and what it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.cli.confirmation import (
    confirm_measuring,
    expected_seconds,
)
from harness.errors import NothingSelectedError, UsageError
from harness.observations.run_folder import RunData
from harness.reports.explain_json import explanation_data
from harness.reports.explain_text import explanation_lines
from harness.run.choosing import Selection
from harness.run.planning import make_plan
from harness.scenarios.relevant_lines import (
    FEW_LINES,
    OF_MACHINE,
    OF_OTHERS,
    OF_SENDING,
    OF_SURROUNDINGS,
    left_out,
)
from harness.scenarios.scenario import Scenario
from harness.scenarios.variants import (
    VariantKind,
    lines_of,
    make_variant,
)
from harness.tls import INBOUND, Service
from harness.verdicts.line_effects import (
    AGAIN,
    LinePart,
    explain_lines,
    line_variants,
    repeated_scenarios,
)
from tests.schema_files import faults
from tests.unit.sample_verdicts import Results, run_of

MAIN = """\
queue_directory = /var/spool/postfix
smtpd_milters = inet:localhost:8891
smtp_tls_security_level = may
my_protocols = !TLSv1
my_class = reject
smtpd_tls_protocols = $my_protocols
"""
MASTER = """\
smtp inet n - y - - smtpd
  -o smtpd_tls_ciphers=high
submission inet n - y - - smtpd
  -o smtpd_tls_mandatory_ciphers=high
relay unix - - y - - smtp
  -o smtp_tls_ciphers=high
"""
WHOLE = Scenario("whole", "T", "S", "C", main_cf=MAIN, master_cf=MASTER, whole=True)


@pytest.fixture(autouse=True)
def long_candidates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take these short candidates for long ones, of which lines are left out."""
    monkeypatch.setattr("harness.scenarios.relevant_lines.FEW_LINES", 0)


def looked_at(scenario: Scenario, *services: Service) -> list[str]:
    """The lines that are not left out."""
    out = left_out(scenario, services)
    return [line.text for line in lines_of(scenario) if line.number not in out]


def test_only_lines_that_can_bear_on_what_is_asked_are_looked_at() -> None:
    """Protects time, and the answer: a queue's folder affects no cell, which is a reason."""
    assert looked_at(WHOLE, *INBOUND) == [
        "my_protocols = !TLSv1",
        "smtpd_tls_protocols = $my_protocols",
        "-o smtpd_tls_ciphers=high under smtp",
        "-o smtpd_tls_mandatory_ciphers=high under submission",
    ]
    assert "-o smtpd_tls_ciphers=high under smtp" not in looked_at(WHOLE, Service.SUBMISSION)
    assert looked_at(WHOLE, Service.OUTBOUND) == [
        "smtp_tls_security_level = may",
        "-o smtp_tls_ciphers=high under relay",
    ]
    reasons = left_out(WHOLE, INBOUND)
    assert [reasons[n] for n in (1, 2, 3, 5, 9)] == [
        OF_MACHINE, OF_SURROUNDINGS, OF_SENDING, OF_SURROUNDINGS, OF_OTHERS,
    ]  # fmt: skip


def test_what_is_applied_as_it_is_may_act_whatever_it_is_about() -> None:
    """Protects advice about surroundings: as-is leaves out no setting for its kind."""
    as_is = Scenario("a", "T", "S", "C", main_cf=MAIN, as_is=True)
    assert "smtpd_milters = inet:localhost:8891" in looked_at(as_is, *INBOUND)


OPEN = {"TLSv1": "TLSv1", "TLSv1.2": "TLSv1.2"}
STRICT = OPEN | {"TLSv1": "refused protocol-version"}
LINES = "smtpd_tls_protocols = !TLSv1\nsmtpd_tls_ciphers = high\nqueue_directory = /q\n"


def whole_run(cells: Mapping[str, Results]) -> RunData:
    """A run of a whole candidate and its variants; ``without-1``, ``whole--again`` and so on."""
    candidate = Scenario("whole", "T", "S", "C", main_cf=LINES, whole=True)
    texts = {"whole": LINES, f"whole{AGAIN}": LINES}
    scenarios: dict[str, Mapping[str, Results]] = {"whole": {"smtp": STRICT}}
    for name, results in cells.items():
        if not name.startswith("without"):
            scenarios[name] = {"smtp": results}
            continue
        number = int(name.split("-")[1])
        made = make_variant(candidate, candidate, VariantKind.WITHOUT, [number])
        suffix = AGAIN if name.endswith(AGAIN) else ""
        scenarios[made.id + suffix] = {"smtp": results}
        texts[made.id + suffix] = made.main_cf
    return run_of(scenarios, texts=texts, builds={"debian-12": ("3.7.11", "3.0.22")})


def test_a_whole_configuration_is_held_against_itself() -> None:
    """Protects from nonsense: no line of a whole configuration is tried alone over a base."""
    candidate = Scenario("whole", "T", "S", "C", main_cf=LINES, whole=True)
    made = list(line_variants(candidate, None, [1, 2]))
    assert [scenario.id for scenario in made] == ["whole--without-1", "whole--without-2"]
    data = whole_run({"without-1": OPEN, "without-2": STRICT})
    effects = explain_lines(data, "whole")
    assert [effect.part for effect in effects.lines] == [
        LinePart.ACTS,
        LinePart.NONE,
        LinePart.LEFT_OUT,
    ]
    text = "\n".join(explanation_lines(data, effects))
    assert "1  smtpd_tls_protocols = !TLSv1\n   acts: without it 1 cell change" in text
    assert "No observable effect (1 line; the 2 cells are the same without each)" in text
    assert "Left out (1 line)" in text
    assert max(map(len, text.splitlines())) <= 80
    assert faults("explain", explanation_data(data, effects)) == []


def test_a_change_that_does_not_repeat_is_no_act() -> None:
    """Protects from chance: a cell that changed once, and not again, makes no line act."""
    cells = {"without-1": OPEN, "without-2": OPEN, "whole--again": STRICT}
    data = whole_run(cells | {f"without-1{AGAIN}": OPEN, f"without-2{AGAIN}": STRICT})
    effects = explain_lines(data, "whole")
    assert [effect.part for effect in effects.lines] == [
        LinePart.ACTS,
        LinePart.UNMEASURED,
        LinePart.LEFT_OUT,
    ]
    assert "changed once, and not when measured again" in "\n".join(
        explanation_lines(data, effects)
    )


@pytest.mark.parametrize("result", ["timeout", "error", "config-rejected fatal"])
def test_trouble_makes_no_line_act(result: str) -> None:
    """Protects from "acts" by a time-out, or by a process that died while another served."""
    without = STRICT | {"TLSv1.2": result}
    data = whole_run({"without-1": OPEN, "without-2": without})
    effects = explain_lines(data, "whole")
    assert effects.lines[1].part is LinePart.UNMEASURED
    assert effects.lines[1].removed.unmeasured == 1


def test_a_line_without_which_postfix_does_not_serve_acts() -> None:
    """Protects the other side: where no client is served at all, the line is needed."""
    dead = dict.fromkeys(STRICT, "config-rejected fatal")
    effects = explain_lines(whole_run({"without-1": OPEN, "without-2": dead}), "whole")
    assert effects.lines[1].part is LinePart.ACTS


def test_a_cell_that_the_candidate_has_no_result_of_tells_of_no_line() -> None:
    """Protects from "not measured" of every line for one client's trouble."""
    data = whole_run({"without-1": OPEN | {"default": "TLSv1.2"}, "without-2": STRICT})
    observations = [
        cell for cell in data.observations if cell.scenario == "whole" and cell.offer == "default"
    ]
    assert observations == []
    assert explain_lines(data, "whole").lines[1].part is LinePart.NONE


def test_what_seems_to_act_is_measured_once_more_where_it_changes() -> None:
    """Protects time: only the cells that changed, of the lines that seem to act."""
    candidate = Scenario("whole", "T", "S", "C", main_cf=LINES, whole=True)
    effects = explain_lines(whole_run({"without-1": OPEN, "without-2": STRICT}), "whole")
    again = repeated_scenarios(effects, candidate)
    assert [scenario.id for scenario in again] == ["whole--again", "whole--without-1--again"]
    assert {str(offer) for scenario in again for offer in scenario.claims.offers} == {"TLSv1"}
    assert again[1].main_cf == LINES.partition("\n")[2]


def test_what_takes_long_is_asked_or_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Protects an hour: on no terminal a long measurement needs --yes, and says so."""
    assert expected_seconds(0) > 0
    confirm_measuring("explain", 100, yes=False)
    assert "explain measures 100 cells, in about 10 seconds" in capsys.readouterr().err
    confirm_measuring("explain", 100_000, yes=True)
    assert "83 minutes" in capsys.readouterr().err
    with pytest.raises(UsageError) as caught:
        confirm_measuring("explain", 100_000, yes=False)
    assert "--yes" in str(caught.value)
    assert caught.value.exit_code == 4


def test_options_of_a_port_s_entry_are_left_out_with_the_port() -> None:
    """Protects mailcow's ten services: an option counts for its own entry, and no other."""
    master = (
        "smtp inet n - y - - smtpd\n"
        "127.0.0.1:10025 inet n - y - - smtpd\n"
        "  -o smtpd_tls_ciphers=low\n"
    )
    port = Scenario("port", "T", "S", "C", master_cf=master, whole=True)
    assert looked_at(port, Service.SMTP) == []
    assert looked_at(port, Service("127.0.0.1:10025")) == [
        "-o smtpd_tls_ciphers=low under 127.0.0.1:10025"
    ]


def test_a_service_that_the_configuration_does_not_have_is_said_so() -> None:
    """Protects from silence: asking Mailu's master.cf for submission is answered, with exit 5."""
    entries = "".join(f"{name} unix n - y - 0 {name}\n" for name in ("cleanup", "qmgr"))
    mailu = Scenario(
        "candidate", "T", "S", "C", master_cf=f"smtp inet n - n - - smtpd\n{entries}", whole=True
    )
    selection = Selection(scenarios=("candidate",), services=("587",))
    with pytest.raises(NothingSelectedError) as caught:
        make_plan(selection, {"candidate": mailu}, ["debian-12"])
    assert "your master.cf has no submission entry" in str(caught.value)
    assert "its services are smtp" in str(caught.value)
    assert caught.value.exit_code == 5


def test_each_line_of_an_answer_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """That a client's parameter does nothing under a server's service is measured, not argued."""
    monkeypatch.setattr("harness.scenarios.relevant_lines.FEW_LINES", FEW_LINES)
    advice = Scenario("a", "T", "S", "C", main_cf="smtp_tls_mandatory_protocols = TLSv1\n")
    assert left_out(advice, (Service.SMTP,)) == {}
    many = advice.main_cf + "".join(
        f"smtpd_tls_ciphers = {n}\nx{n} = 1\n" for n in range(FEW_LINES)
    )
    assert 1 in left_out(replace(advice, main_cf=many), (Service.SMTP,))


def test_a_service_of_an_address_in_brackets_can_be_selected() -> None:
    """Taken for a set of characters, the brackets matched no service."""
    master = "[::1]:10025 inet n - n - - smtpd\ncleanup unix n - n - 0 cleanup\n"
    master += "smtp inet n - n - - smtpd\nqmgr unix n - n 300 1 qmgr\n"
    whole = Scenario("candidate", "T", "S", "C", master_cf=master, whole=True)
    selection = Selection(services=("[::1]:10025",))
    plan = make_plan(selection, {"candidate": whole}, ["debian-12"])
    assert plan.services == (Service("[::1]:10025"),)

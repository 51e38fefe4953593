"""What a session adds: images, clients and policies of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.pytest_plugin.measured_run import claim_policies, plan_candidate
from harness.pytest_plugin.own_additions import (
    NO_OWN,
    find_policies,
    merge_values,
    read_own_images,
)
from harness.scenarios.scenario import Scenario

CANDIDATE = Scenario("test-a", "test_a", "a test", "", main_cf="smtpd_tls_protocols = TLSv1.2\n")
POLICY = """\
[[policy]]
name = "our-rule"
about = "nothing but TLSv1.3"
offers = ["TLSv1.2", "TLSv1.3"]

[[policy.expect]]
says = "TLSv1.2 is refused"
offers = ["TLSv1.2"]
outcome = "refused"
"""


def test_a_client_of_the_users_own_comes_beside_the_catalogs() -> None:
    """Protects must_meet(): an own client is measured too, and takes no other one's place."""
    own = read_own_images(["mine=my/image:1"], ["my-client=my/client:1"])
    assert own.images.images == {"mine": "my/image:1"}
    without = plan_candidate(CANDIDATE, "debian-12").clients
    plan = plan_candidate(CANDIDATE, "debian-12", own_clients=own.clients)
    assert set(plan.clients) == {*without, "my-client"}
    named = plan_candidate(CANDIDATE, "debian-12", clients=["my-*"], own_clients=own.clients)
    assert named.clients == ("my-client",)


def test_an_option_replaces_the_configuration_files_value_of_that_name() -> None:
    """Protects the precedence: a command line tries another image under the same name."""
    assert merge_values(["a=1", "b=2"], ["a=3"]) == ["b=2", "a=3"]
    assert read_own_images([], []) is NO_OWN
    with pytest.raises(UsageError, match="twice"):
        read_own_images(["a=1", "a=2"], [])
    with pytest.raises(UsageError, match="NAME=REFERENCE"):
        read_own_images([], ["mine"])


def test_policies_of_the_users_own_are_met_too(tmp_path: Path) -> None:
    """Protects must_meet(): the policies.toml beside the test, or the one that is named."""
    beside = tmp_path / "tests"
    beside.mkdir()
    assert find_policies("", tmp_path, beside) is None
    (tmp_path / "policies.toml").write_text(POLICY)
    assert find_policies("", tmp_path, beside) == tmp_path / "policies.toml"
    (beside / "policies.toml").write_text(POLICY)
    path = find_policies("", tmp_path, beside)
    assert path == beside / "policies.toml"
    assert find_policies("tests", tmp_path, tmp_path) == path
    with pytest.raises(UsageError, match="postfix_policies"):
        find_policies("none.toml", tmp_path, beside)
    claims = claim_policies(CANDIDATE, ["our-rule", "no-ssl"], path).claims
    assert {expectation.policy for expectation in claims.expectations} == {"our-rule", "no-ssl"}
    with pytest.raises(UsageError, match="our-rule"):
        claim_policies(CANDIDATE, ["our-rule"])

"""A scenario's verdict as the site keeps it, in the form that the reports read."""

from __future__ import annotations

from harness.site.facts import order_names
from harness.site.state import SiteState
from harness.verdicts.judging import Standing
from harness.verdicts.regressions import Regression, RegressionKind
from harness.verdicts.verdict import (
    BuildVerdict,
    ScenarioVerdict,
    Verdict,
    image_versions,
    overall_verdict,
)


def recorded_verdict(state: SiteState, scenario: str) -> ScenarioVerdict | None:
    """The newest verdict of each server, and the one over all; None: it was never judged."""
    by_build = state.verdicts.get(scenario)
    if not by_build:
        return None
    builds = []
    for name in order_names(by_build, state.axes["builds"]):
        record = by_build[name]
        postfix, openssl = image_versions(state.image(name))
        builds.append(
            BuildVerdict(
                name,
                Verdict(record["verdict"]),
                Standing(record["claim"]),
                record["why"],
                regressions=tuple(
                    Regression(harm["cell"], RegressionKind(harm["kind"]), harm["what"])
                    for harm in record["harms"]
                ),
                postfix=postfix,
                openssl=openssl,
            )
        )
    overall = overall_verdict(build.verdict for build in builds)
    return ScenarioVerdict(scenario, overall, tuple(builds))

"""The services that a candidate has, without a build to apply it to."""

from __future__ import annotations

from harness.postfix_config.listeners import find_listeners
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.ports import interfaces_of
from harness.scenarios.instance import has_whole_master
from harness.scenarios.scenario import Scenario
from harness.tls import INBOUND, Service, in_table_order


def services_of(scenario: Scenario) -> tuple[Service, ...]:
    """The services that are measured for a candidate that names none.

    A whole configuration with entries is measured with their services, and with smtp if the entries
    are laid over the build's. Otherwise the build's registered services are measured, together with
    those of the candidate's entries, if it has any.
    """
    main = parse_main_cf(scenario.main_cf).values
    master = parse_master_cf(scenario.master_cf)
    candidate_services = [
        each.service for each in find_listeners(main, master, interfaces_of(scenario.main_cf))
    ]
    if has_whole_master(scenario):
        return in_table_order(candidate_services)
    if scenario.whole and scenario.master_cf.strip():
        return in_table_order((Service.SMTP, *candidate_services))
    return in_table_order((*INBOUND, *candidate_services))

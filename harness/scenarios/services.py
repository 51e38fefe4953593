"""The services that a candidate has, known before there is a build to apply it to."""

from __future__ import annotations

from harness.postfix_config.listeners import listeners
from harness.postfix_config.main_cf import parse_main_cf
from harness.postfix_config.master_cf import parse_master_cf
from harness.postfix_config.ports import interfaces_of
from harness.scenarios.instance import has_whole_master
from harness.scenarios.scenario import Scenario
from harness.tls import INBOUND, Service, in_table_order


def services_of(scenario: Scenario) -> tuple[Service, ...]:
    """The services that a candidate is measured with where it names none.

    Of a whole configuration with entries they are its own; the build has smtp where these entries
    stand beside the build's. Where no entry was given, the build's own registered services are
    measured, and so they are beside the entries of some lines.
    """
    main = parse_main_cf(scenario.main_cf).values
    master = parse_master_cf(scenario.master_cf)
    own = [each.service for each in listeners(main, master, interfaces_of(scenario.main_cf))]
    if has_whole_master(scenario):
        return in_table_order(own)
    if scenario.whole and scenario.master_cf.strip():
        return in_table_order((Service.SMTP, *own))
    return in_table_order((*INBOUND, *own))

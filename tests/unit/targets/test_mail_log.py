"""Log lines and the connections they belong to. The lines are as Postfix wrote them."""

from __future__ import annotations

import asyncio
import time

from harness.targets.log_join import LogJoin
from harness.targets.mail_log import (
    LogLine,
    MailLog,
)

HOST = "Nov 22 23:34:30 8a3ee06a5baa"
QUESTION = f"""\
{HOST} mail.info postfix/submission/smtpd[223]: connect from unknown[172.21.0.5]:44106
{HOST} mail.info postfix/submission/smtpd[223]: Anonymous TLS connection established from \
unknown[172.21.0.5]:44106: TLSv1 with cipher ECDHE-RSA-AES256-SHA (256/256 bits)
{HOST} mail.info postfix/submission/smtpd[223]: E8814361: client=unknown[172.21.0.5]:44106, \
sasl_method=PLAIN, sasl_username=webshop
{HOST} mail.info postfix-asker/cleanup[278]: E8814361: message-id=<a@client.test>
{HOST} mail.info postfix-asker/qmgr[130]: E8814361: from=<shop@webshop.test>, size=722, nrcpt=1
{HOST} mail.info postfix/submission/smtpd[223]: disconnect from unknown[172.21.0.5]:44106 ehlo=2
{HOST} mail.info postfix-asker/virtual[279]: E8814361: to=<c@sink.test>, status=sent
{HOST} mail.info postfix-asker/qmgr[130]: E8814361: removed
""".splitlines()


def test_a_line_is_taken_apart() -> None:
    """Protects the join: time, tag, process id and text, with or without busybox's facility."""
    line = LogLine.parse(QUESTION[0])
    assert line is not None
    assert (line.tag, line.process, line.pid) == ("postfix/submission/smtpd", "smtpd", 223)
    assert line.text == "connect from unknown[172.21.0.5]:44106"
    assert LogLine.parse(QUESTION[0].replace("mail.info ", "")) == line


def test_a_line_without_a_process_id_is_one_too() -> None:
    """Protects the controls' evidence: stunnel logs no process id."""
    raw = (
        f"{HOST} daemon.notice stunnel: LOG5[8]: Service [smtp] accepted connection from 1.2.3.4:5"
    )
    line = LogLine.parse(raw)
    assert line is not None
    assert (line.tag, line.pid) == ("stunnel", 0)
    assert str(line).startswith("Nov 22 23:34:30 stunnel: LOG5[8]: Service")


def test_a_line_that_is_none_is_passed_over() -> None:
    """Protects against the syslog daemon's own greeting, which has no process id."""
    assert LogLine.parse(f"{HOST} syslog.info syslogd started: BusyBox v1.35.0") is None


def test_a_patched_greeting_begins_a_session_too() -> None:
    """Protects users' own trees: whatever they log after the peer, the connection is joined."""
    log = MailLog()
    closed = [
        log.feed(f"{HOST} postfix/smtpd[1]: {text}", 0.0).closed
        for text in (
            "connect from unknown[10.0.0.1]:1000, patched",
            "disconnect from unknown[10.0.0.1]:1000 ehlo=1 commands=1",
        )
    ]
    assert closed[1] is not None
    assert closed[1].peer == "10.0.0.1:1000"


def test_sessions_of_interleaved_processes_are_kept_apart() -> None:
    """Protects evidence: lines of two connections at once never end up in each other's cell."""
    log = MailLog()
    closed = []
    for raw in (
        f"{HOST} postfix/smtpd[1]: connect from unknown[10.0.0.1]:1000",
        f"{HOST} postfix/smtpd[2]: connect from unknown[10.0.0.1]:2000",
        f"{HOST} postfix/smtpd[1]: SSL_accept error from unknown[10.0.0.1]:1000: -1",
        f"{HOST} postfix/smtpd[2]: lost connection after EHLO from unknown[10.0.0.1]:2000",
        f"{HOST} postfix/smtpd[2]: disconnect from unknown[10.0.0.1]:2000 ehlo=1",
        f"{HOST} postfix/smtpd[1]: disconnect from unknown[10.0.0.1]:1000 ehlo=1",
    ):
        session = log.feed(raw).closed
        if session is not None:
            closed.append(session)
    assert [session.peer for session in closed] == ["10.0.0.1:2000", "10.0.0.1:1000"]
    assert [line.pid for line in closed[1].lines] == [1, 1, 1]


def test_what_a_process_said_before_its_first_client_comes_with_the_session() -> None:
    """Protects not-offered's reason: "disabling TLS support" is logged before any connect."""
    log = MailLog()
    log.feed(f"{HOST} postfix/smtpd[7]: warning: Invalid TLS protocol list: disabling TLS support")
    log.feed(f"{HOST} postfix/smtpd[7]: connect from unknown[10.0.0.1]:1000")
    session = log.feed(f"{HOST} postfix/smtpd[7]: disconnect from unknown[10.0.0.1]:1000").closed
    assert session is not None
    assert "disabling TLS support" in session.preamble[0].text


def test_a_message_is_followed_to_its_end() -> None:
    """Protects the trace header: a message is read when qmgr has removed it, not before."""
    log = MailLog()
    removed = [log.feed(raw).removed for raw in QUESTION]
    assert removed == [None] * 7 + ["E8814361"]
    assert [line.process for line in log.deliveries["E8814361"]] == [
        "cleanup", "qmgr", "virtual", "qmgr",
    ]  # fmt: skip


def test_a_warning_is_no_queue_id() -> None:
    """Protects master's lines, which begin like a queue id: letters and a colon."""
    log = MailLog()
    log.feed(f"{HOST} postfix-a/master[5]: warning: process /usr/lib/postfix/sbin/smtpd pid 9")
    assert not log.deliveries
    assert len(log.other["postfix-a/master"]) == 1


def test_deaths_have_the_lines_of_master_and_of_the_process() -> None:
    """Protects config-rejected: why smtpd would not run is known by its pid, under any name."""
    log = MailLog()
    log.feed(f"{HOST} postfix/submission/smtpd[9]: fatal: bad numerical configuration: x = y")
    log.feed(
        f"{HOST} postfix-a/master[5]: warning: process /usr/lib/postfix/sbin/smtpd pid 9 "
        "exit status 1"
    )
    deaths = log.deaths(range(4, 7), "postfix/submission/smtpd")
    assert [line.process for line in deaths] == ["smtpd", "master"]
    assert log.deaths(range(6, 20), "postfix/submission/smtpd") == []


def test_a_death_is_one_services_own() -> None:
    """Protects the other services: submission's fatal line says nothing about port 25."""
    log = MailLog()
    log.feed(f"{HOST} postfix/submission/smtpd[9]: fatal: bad numerical configuration: x = y")
    log.feed(f"{HOST} postfix-a/master[5]: warning: process /x/smtpd pid 9 exit status 1")
    assert log.deaths(range(5, 6), "postfix-a/smtpd") == []


def test_what_is_said_between_clients_is_not_the_next_ones_preamble() -> None:
    """Protects reasons: a library error logged late is not blamed on who comes next."""
    log = MailLog()
    log.feed(f"{HOST} postfix/smtpd[7]: connect from unknown[10.0.0.1]:1000")
    log.feed(f"{HOST} postfix/smtpd[7]: disconnect from unknown[10.0.0.1]:1000")
    log.feed(f"{HOST} postfix/smtpd[7]: warning: no shared cipher")
    log.feed(f"{HOST} postfix/smtpd[7]: connect from unknown[10.0.0.1]:2000")
    session = log.feed(f"{HOST} postfix/smtpd[7]: disconnect from unknown[10.0.0.1]:2000").closed
    assert session is not None
    assert session.preamble == ()


def test_a_masters_first_words_are_its_own_under_any_name() -> None:
    """Protects the evidence of a start: its name is known only later."""
    log = MailLog()
    log.feed(f"{HOST} postfix/master[5]: warning: duplicate master.cf entry")
    log.feed(f"{HOST} postfix-a/master[5]: daemon started -- version 3.7.11")
    log.feed(f"{HOST} postfix/master[9]: fatal: somebody else's")
    assert [line.tag for line in log.master_lines(range(4, 8))] == [
        "postfix/master",
        "postfix-a/master",
    ]


def test_a_session_goes_to_who_waits_for_it_whichever_comes_first() -> None:
    """Protects the join in time: the log may close a session before or after the client is done."""

    async def scenario() -> None:
        join = LogJoin()
        waiting = asyncio.create_task(join.session("172.21.0.5:44106", 0, 1))
        await asyncio.sleep(0)
        join.feed(QUESTION)
        early = await waiting
        assert early is not None
        assert early.closed
        join.feed(QUESTION)
        late = await join.session("172.21.0.5:44106", 0, 1)
        assert late is not None
        assert late is not early

    asyncio.run(scenario())


def test_a_session_that_never_closes_is_given_as_far_as_it_came() -> None:
    """Protects evidence of a server that hangs: what it logged so far is shown, after the limit."""

    async def scenario() -> None:
        join = LogJoin()
        join.feed(QUESTION[:2])
        partial = await join.session("172.21.0.5:44106", 0, 0.01)
        assert partial is not None
        assert not partial.closed
        assert len(partial.lines) == 2
        assert await join.session("172.21.0.5:9", 0, 0.01) is None

    asyncio.run(scenario())


def test_what_an_earlier_dialogue_left_is_not_taken_for_a_later_ones() -> None:
    """Protects against ports used again: a session from before the dialogue began is not its."""

    async def scenario() -> None:
        join = LogJoin()
        join.feed(QUESTION)
        later = time.monotonic() + 1
        assert await join.session("172.21.0.5:44106", later, 0.01) is None
        join.feed(QUESTION[:2])
        assert await join.session("172.21.0.5:44106", later, 0.01) is None

    asyncio.run(scenario())


SMTPD_ENDS = f"{HOST} postfix-a/master[5]: warning: process /x/smtpd pid 9 exit status 1"


def test_a_process_that_dies_with_its_client_closes_the_session() -> None:
    """Protects config-rejected at once: after its fatal line a process logs nothing more."""
    log = MailLog()
    log.feed(f"{HOST} postfix/smtpd[9]: connect from unknown[10.0.0.1]:1000")
    fatal = f"{HOST} postfix/smtpd[9]: fatal: no SASL authentication mechanisms"
    session = log.feed(fatal).closed
    assert session is not None
    assert session.closed
    assert session.lines[-1].text == "fatal: no SASL authentication mechanisms"
    # It had taken its client, so the next one may be served: its death is of no service.
    assert log.feed(SMTPD_ENDS).died is not None
    assert log.deaths(range(5, 6), "postfix/smtpd") == []


def test_a_process_that_is_killed_with_its_client_closes_the_session_too() -> None:
    """Protects evidence of a crash: master's line about it is the session's last."""
    log = MailLog()
    log.feed(f"{HOST} postfix/smtpd[9]: connect from unknown[10.0.0.1]:1000")
    closed = log.feed(SMTPD_ENDS.replace("exit status 1", "killed by signal 11")).closed
    assert closed is not None
    assert closed.lines[-1].text.endswith("killed by signal 11")


def test_other_processes_of_the_instance_die_too() -> None:
    """Protects the cause of a 451: a service that smtpd uses may be what does not run."""
    log = MailLog()
    log.feed(f"{HOST} postfix-a/cleanup[12]: fatal: unsupported dictionary type: bogus", 1.0)
    log.feed(
        f"{HOST} postfix-a/master[5]: warning: process /x/cleanup pid 12 exit status 1", now=2.0
    )
    lines = log.other_deaths(range(5, 6), 1.5, but="smtpd")
    assert [line.process for line in lines] == ["cleanup", "master"]
    assert log.other_deaths(range(5, 6), 2.5, but="smtpd") == []
    assert log.other_deaths(range(6, 7), 1.5, but="smtpd") == []


def test_a_waiter_gets_the_death_it_waits_for() -> None:
    """Protects the race of dialogue and log: a death ends the wait, another's does not."""

    async def scenario() -> None:
        join = LogJoin()
        fatal = f"{HOST} postfix/smtpd[9]: fatal: bad boolean"
        waiting = asyncio.create_task(join.death(lambda death: death.pid == 9, 1))
        other = asyncio.create_task(join.death(lambda death: death.pid == 8, 0.01))
        await asyncio.sleep(0)
        join.feed([fatal, SMTPD_ENDS])
        death = await waiting
        assert death is not None
        assert (death.tag, death.program, death.served) == ("postfix/smtpd", "smtpd", False)
        assert await other is None

    asyncio.run(scenario())


def test_deaths_with_an_earlier_client_are_found_for_a_waiting_one() -> None:
    """Protects from a time-out by chance: master puts off the next process for a while."""
    log = MailLog()
    log.feed(f"{HOST} postfix/smtpd[9]: connect from unknown[10.0.0.1]:1000")
    log.feed(f"{HOST} postfix/smtpd[9]: fatal: no SASL authentication mechanisms")
    log.feed(SMTPD_ENDS, now=2.0)
    deaths = log.deaths_with_clients(range(5, 6), "postfix/smtpd", 1.0)
    assert [line.process for line in deaths] == ["smtpd", "master"]
    assert log.deaths_with_clients(range(5, 6), "postfix/smtpd", 3.0) == []
    assert log.deaths_with_clients(range(5, 6), "other/smtpd", 1.0) == []

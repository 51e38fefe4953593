"""The shell scripts that make room for a Postfix instance, start it and wait for it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

from harness.catalog.versions import Version
from harness.postfix_config.lookup_tables import GivenTable
from harness.targets.build_facts import Facts
from harness.targets.file_script import write_files_script
from harness.targets.lab import FileSpec

# Postfix lets a file that has just changed "cool down" for seconds before it reads it
# (dict_load_file in its util library), so configurations get an old date.
_OLD_TIME = "200001010000"
#: The files that a chrooted smtp(8) needs to resolve names; Debian's init script copies them too.
_CHROOT = """
mkdir -p etc
cp /etc/resolv.conf /etc/services /etc/hosts etc/
cp /etc/nsswitch.conf etc/ 2>/dev/null || true"""
#: Queue folders that belong to mail_owner (conf/postfix-files of any release).
_QUEUE_OWNED = "active bounce corrupt defer deferred flush hold incoming private saved trace"
#: ``master -w`` returns when the daemon runs, or has reported an error (RELEASE_NOTES-2.10).
_WAITS_SINCE = Version.parse("2.10")

#: How often an older master's process id is looked for, every twentieth of a second: longer than
#: it takes on a machine that is busy with something else.
_TRIES = 400
#: After so many of them an instance that does not end is killed.
_KILL_AFTER = 100


def start_script(master: str, directory: str, mail_version: str) -> str:
    """The script that starts an instance; it fails if the instance does not run in the end.

    Args:
        master: the program's path.
        directory: the instance's configuration directory.
        mail_version: the release; a snapshot (``3.8-20220816``) counts as the release it precedes.
    """
    if Version.parse(mail_version) >= _WAITS_SINCE:
        return f"{master} -w -c {directory}"
    return waiting_script(master, directory)


def waiting_script(master: str, directory: str) -> str:
    """For releases whose master cannot wait: start it, and wait until it has written its id.

    It does so when it has read its configuration and has the instance's lock (master(8)).
    """
    return f"""{master} -c {directory} &
pid=$! tries=0
until grep -qsw $pid "$(postconf -c {directory} -h queue_directory)/pid/master.pid"; do
    tries=$((tries + 1))
    [ $tries -lt {_TRIES} ] && kill -0 $pid || exit 1
    sleep 0.05
done"""


def own_scripts(config_directory: str, directory: str) -> str:
    """The script that copies what postfix(1) runs to an instance, if it runs that from there.

    Before 2.6 they lie beside main.cf (RELEASE_NOTES of 2.6); in later releases nothing is copied.
    """
    return f"""[ ! -e {config_directory}/postfix-script ] || (
    cd {config_directory} && cp postfix-script post-install postfix-files {directory}/etc/
)"""


def replace_script(directory: str) -> str:
    """The script that makes room for an instance in the directory of an earlier one of its name.

    The earlier one's master may not have ended yet, and its lock would keep the new one from
    starting; its process id must not be taken for the new one's, nor its tables and mail be read.
    A process id may be another process's by now, so only one that was started with this directory
    is ended.
    """
    pid_file = f"{directory}/queue/pid/master.pid"
    return f"""if [ -e {pid_file} ]; then
    pid=$(echo $(cat {pid_file})) tries=0
    while grep -qs {directory}/etc /proc/$pid/cmdline && [ $tries -lt {_TRIES} ]; do
        kill $pid 2>/dev/null || true
        tries=$((tries + 1))
        # One that is stopped hears no other signal.
        [ $tries -lt {_KILL_AFTER} ] || kill -KILL $pid 2>/dev/null || true
        sleep 0.05
    done
    rm -rf {directory}/etc {directory}/data {directory}/mail {directory}/queue/pid || true
fi"""


def compile_script(tables: Iterable[GivenTable], config_directory: str) -> str:
    """The commands that compile indexed tables from the given texts, postmap(1).

    A table whose text Postfix cannot read is left as it is: smtpd's error is the result then.
    """
    lines = [
        f"{table.compiler} -c {config_directory} {shlex.quote(table.name)} || true"
        for table in tables
        if table.compiler is not None
    ]
    return "\n".join(lines)


def setup_script(
    facts: Facts,
    directory: str,
    files: Mapping[str, FileSpec],
    missing: Iterable[str],
    tables: Iterable[GivenTable],
    *,
    resolves: bool,
) -> str:
    """The script that puts an instance's files in their places.

    ``files`` are what to write, by absolute path; ``missing`` are paths at which nothing is to be.
    ``resolves``: the instance's programs look names up, also in a chroot.
    """
    removed = " ".join(map(shlex.quote, missing))
    return f"""set -e
umask 022
{replace_script(directory)}
mkdir -p {directory}/etc {directory}/queue {directory}/data {directory}/mail
{write_files_script(files)}
rm -f -- {removed}
{own_scripts(facts.config_directory, directory)}
touch -t {_OLD_TIME} {directory}/etc/*
chown {facts.mail_owner} {directory}/data
chown 65534:65534 {directory}/mail
cd {directory}/queue
mkdir -p {_QUEUE_OWNED} maildrop public pid
chmod 700 {_QUEUE_OWNED}
chown {facts.mail_owner} {_QUEUE_OWNED} maildrop public
chgrp {facts.setgid_group} maildrop public
chmod 730 maildrop
chmod 710 public{_CHROOT if resolves else ""}
{compile_script(tables, f"{directory}/etc")}"""

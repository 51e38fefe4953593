"""Starting an instance, by what a release's master can do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from harness.targets.log_tags import service_tags
from harness.targets.start_script import own_scripts, replace_script, start_script
from harness.tls import Service


@pytest.mark.parametrize(
    ("version", "waits"), [("2.3.17", False), ("2.9.15", False), ("2.10.0", True), ("3.11.7", True)]
)
def test_only_a_master_that_can_wait_is_asked_to(version: str, waits: bool) -> None:
    """Before 2.10 'master -w' is a usage error: each configuration would count as not starting."""
    script = start_script("/usr/libexec/postfix/master", "/srv/x/etc", version)
    assert (" -w " in script) is waits
    assert ("master -c /srv/x/etc &" in script) is not waits


def test_an_instance_has_the_scripts_that_lie_beside_main_cf(tmp_path: Path) -> None:
    """Protects 'postfix check' as evidence: before 2.6 postfix(1) runs them from that folder."""
    image, instance = tmp_path / "image", tmp_path / "instance"
    image.mkdir()
    (instance / "etc").mkdir(parents=True)
    script = f"set -e\n{own_scripts(str(image), str(instance))}\necho done"
    for name in ("", "postfix-script", "post-install", "postfix-files"):
        if name:
            (image / name).touch(mode=0o755)
        if name in ("", "postfix-files"):
            subprocess.run(["sh", "-c", script], check=True)
            copied = {path.name for path in (instance / "etc").iterdir()}
            assert copied == {path.name for path in image.iterdir()}


def test_a_service_s_log_tag_is_known_where_postconf_gives_up() -> None:
    """Protects from a time-out for a process that dies: "macro processing error" ends postconf."""
    main = "proxy_read_maps = $a $\nsyslog_name = postfix-candidate\n"
    master = "20010 inet n - y - - smtpd\n20011 inet n - y - - smtpd\n  -o syslog_name=mine\n"
    ports = {Service.SMTP: 20010, Service.SUBMISSION: 20011}
    tags = {Service.SMTP: "postfix-candidate/smtpd", Service.SUBMISSION: "mine/smtpd"}
    assert service_tags(main, master, "mydomain = x\n", ports) == tags
    tags = {Service.SMTP: "other/smtpd", Service.SUBMISSION: "mine/smtpd"}
    assert service_tags(main, master, "syslog_name = other\n", ports) == tags


def test_the_log_tag_behind_postscreen_is_that_of_the_smtpd_that_takes_its_clients() -> None:
    """Its death was not noticed, and its clients were reported as timed out."""
    master = (
        "20010 inet n - y - 1 postscreen\n  -o smtpd_service_name=second\n"
        "smtpd pass - - y - - smtpd\n  -o syslog_name=first\n"
        "second pass - - y - - smtpd\n  -o syslog_name=$mail_name/second\n"
    )
    ports = {Service.SMTP: 20010}
    tags = service_tags("mail_name = Post\n", master, "", ports)
    assert tags == {Service.SMTP: "Post/second/smtpd"}


def test_an_instance_takes_the_place_of_an_earlier_one_of_its_name(tmp_path: Path) -> None:
    """The earlier one's lock, process id and tables would be taken for the new one's."""
    pid_file = tmp_path / "queue/pid/master.pid"
    pid_file.parent.mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/main.cf").touch()
    # As master(8) writes it. The process is the shell's orphan, so that init reaps it.
    process = f"tail -f {tmp_path}/etc/main.cf"
    begin = f"{process} >/dev/null 2>&1 & printf '%10d\\n' $! >{pid_file}"
    subprocess.run(["sh", "-c", begin], check=True)
    earlier = int(pid_file.read_text())
    script = f"set -e\n{replace_script(str(tmp_path))}\necho done"
    output = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert (output.stdout, output.stderr) == ("done\n", "")
    status = Path(f"/proc/{earlier}/stat")
    assert not status.exists() or status.read_text().split()[2] == "Z"
    assert not (tmp_path / "etc").exists()
    assert not pid_file.exists()


def test_another_process_of_the_same_id_is_left_alone(tmp_path: Path) -> None:
    """In a long-lived container the id of a master that has ended is given to another process."""
    pid_file = tmp_path / "queue/pid/master.pid"
    pid_file.parent.mkdir(parents=True)
    with subprocess.Popen(["sleep", "60"]) as other:
        pid_file.write_text(f"{other.pid}\n")
        script = f"set -e\n{replace_script(str(tmp_path))}\n"
        subprocess.run(["sh", "-c", script], check=True)
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("text", [None, "", "\n"])
def test_a_directory_without_an_earlier_master_is_taken(tmp_path: Path, text: str | None) -> None:
    """Most directories are new, and a master that was killed early has written no process id."""
    pid_file = tmp_path / "queue/pid/master.pid"
    if text is not None:
        pid_file.parent.mkdir(parents=True)
        pid_file.write_text(text)
    script = f"set -e\n{replace_script(str(tmp_path))}\necho done"
    output = subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    assert (output.stdout, output.stderr) == ("done\n", "")

"""What of a user's configuration is left in a run folder: main.cf and master.cf, and no table."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

MAIN_CF = """\
compatibility_level = 3.6
myhostname = mail.secretcorp.net
mydestination = secretcorp.net, localhost
mynetworks = 127.0.0.0/8 81.2.69.142
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/letsencrypt/live/mail.secretcorp.net/fullchain.pem
smtpd_tls_key_file = /etc/letsencrypt/live/mail.secretcorp.net/privkey.pem
smtpd_tls_protocols = >=TLSv1.2
smtp_sasl_password_maps = texthash:/etc/postfix/sasl_passwd
virtual_alias_maps = texthash:$config_directory/virtual, hash:/etc/postfix/doubled
header_checks = regexp:/etc/postfix/broken
smtpd_client_restrictions = check_client_access hash:/etc/postfix/doubled
"""
PASSWORD = "correct-horse-battery"


def test_no_table_and_nothing_redacted_is_in_a_run_folder(tmp_path: Path) -> None:
    """Protects passwords in tables, and with --redact every host name and address too."""
    folder = tmp_path / "postfix"
    folder.mkdir()
    (folder / "main.cf").write_text(MAIN_CF)
    (folder / "sasl_passwd").write_text(f"secretcorp.net joe:{PASSWORD}\n")
    (folder / "virtual").write_text(f"{PASSWORD}@secretcorp.net joe\n")
    # What postmap(1) and smtpd(8) complain of, they quote.
    (folder / "doubled").write_text(f"{PASSWORD} a\n{PASSWORD} b\nonly-{PASSWORD}\n")
    (folder / "broken").write_text(f"/({PASSWORD}/ REJECT\n/x/ {PASSWORD} ${{7}}\n")
    runs = tmp_path / "runs"
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", "verify", str(folder), "--redact",
         "-p", "tls12-or-newer", "-b", "debian-12", "-c", "openssl-1.0.2h",
         "--for-service", "smtp", "--runs", str(runs)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    written = [path for path in runs.rglob("*") if path.is_file()]
    assert any(path.name == "observations.jsonl" for path in written), done.stderr
    everything = b"\n".join(path.read_bytes() for path in written)
    assert b"sasl_passwd" in everything
    for secret in (PASSWORD, "secretcorp", "81.2.69.142"):
        assert secret.encode() not in everything, secret
        assert secret not in done.stdout + done.stderr

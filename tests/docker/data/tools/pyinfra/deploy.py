"""The deployment of an administrator: two settings, and a reload where one changed."""

from pyinfra.operations import files, systemd

limits = files.block(
    name="TLSv1.2 and newer",
    path="/etc/postfix/main.cf",
    content="smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1\nsmtpd_tls_ciphers = high",
)
systemd.service(name="Reload Postfix", service="postfix", reloaded=True, _if=limits.did_change)

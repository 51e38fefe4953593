#!/bin/sh
# What a guide tells to type in: TLSv1.2 and newer, for mail that comes in.
set -e
postconf -e 'smtpd_tls_security_level = may'
postconf -e 'smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1'
postconf -e 'smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1'
postconf -e 'smtpd_tls_ciphers = high'
systemctl reload postfix

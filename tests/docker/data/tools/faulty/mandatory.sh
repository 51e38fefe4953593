#!/bin/sh
# Planted fault: the level is "may", where the list for mandatory TLS does not count.
set -e
postconf -e 'smtpd_tls_security_level = may'
postconf -e 'smtpd_tls_mandatory_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1'

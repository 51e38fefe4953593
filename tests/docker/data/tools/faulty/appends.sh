#!/bin/sh
# Planted fault: it appends at each run.
set -e
echo 'smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1' >>/etc/postfix/main.cf

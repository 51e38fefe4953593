#!/bin/sh
# Planted fault: "TLSv1" has lost its "!", so the list includes instead of excluding.
set -e
postconf -e 'smtpd_tls_protocols = !SSLv2, !SSLv3, TLSv1, !TLSv1.1'

#!/bin/sh
# Planted fault on Postfix before 3.6, which does not know ">=" (postconf(5)).
set -e
postconf -e 'smtpd_tls_protocols = >=TLSv1.2'

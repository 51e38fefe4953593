#!/bin/sh
# Debian's own configuration of the package: the answer "Internet Site".
set -e
export DEBIAN_FRONTEND=noninteractive
echo mail.example.test >/etc/mailname
rm -f /etc/postfix/main.cf
printf 'postfix postfix/%s\n' 'main_mailer_type select Internet Site' \
    'mailname string mail.example.test' | debconf-set-selections
dpkg-reconfigure -f noninteractive postfix

# Install Postfix, its OpenSSL and Perl; an empty main.cf, and the services by the names that we use.
#
# LMDB is a part of Alpine's postfix in some releases, and a package of its own in others.
set -eu
apk add --no-cache postfix openssl perl
if apk search --no-cache --exact postfix-lmdb | grep -q .; then apk add --no-cache postfix-lmdb; fi
: >"$(postconf -d -h config_directory)/main.cf"
for service in smtp:25 submission:587 submissions:465; do
    grep -Eqw "^${service%:*}[[:space:]]+${service#*:}/tcp" /etc/services \
        || echo "${service%:*} ${service#*:}/tcp" >>/etc/services
done

# Unpack the senders of a suite, all of them, with what they depend on; none is configured or started.
#
# install_senders.sh LIST FOLDER
#
# Each line of LIST names packages that apt finds together; mail servers conflict with each other, so
# they are on lines of their own. FOLDER has files of further packages. Only the packages' files are
# used: each cell has a configuration of its own.
set -eu
# In Ubuntu most senders are in universe, which the base's lists do not have.
if [ -e /etc/apt/sources.list ]; then
    sed -i '/ubuntu/s/ main$/ main universe/' /etc/apt/sources.list
fi
apt-get update
while read -r packages; do
    case "$packages" in ''|'#'*) continue;; esac
    # shellcheck disable=SC2086  (several packages)
    apt-get install --download-only $packages </dev/null || {
        echo "not in the archive of this suite, or without a dependency: $packages" >&2
        exit 1
    }
done <"$1"
find "$2" /var/cache/apt/archives -name '*.deb' -exec dpkg --unpack --force-all {} + >/dev/null
ldconfig
# The users that the packages' own scripts would make.
for name in Debian-exim smmta smmsp opensmtpd opensmtpq; do
    useradd --system --no-create-home --home /nonexistent --shell /usr/sbin/nologin "$name"
done
useradd --system --uid 1000 --no-create-home --home /nonexistent --shell /usr/sbin/nologin client
rm -rf /var/cache/apt/archives/*.deb /var/lib/apt/lists/* /var/log/*.log /var/log/apt

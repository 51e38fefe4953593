# Make what a distribution sets in its main.cf true of Postfix's built-in defaults, too.
#
# An instance has a main.cf of its own, and asks 'postconf -d' where the daemons are and who owns the
# queue. openSUSE installs the daemons in another folder than the default, and queues belong to the group
# maildrop: both are written in its main.cf only. The folder becomes a link, the group one more group.
set -eu

shipped() { postconf -h "$1" 2>/dev/null; }
built_in() { postconf -d -h "$1" 2>/dev/null; }

daemons=$(built_in daemon_directory)
if [ ! -d "$daemons" ]; then
    mkdir -p "${daemons%/*}"
    ln -s "$(shipped daemon_directory)" "$daemons"
fi
group=$(built_in setgid_group)
if ! grep -q "^$group:" /etc/group; then groupadd -r "$group"; fi

# The empty main.cf is that of our builds of Debian: a candidate is not laid over the distribution's.
: >"$(built_in config_directory)/main.cf"

# Where /usr/etc has the system's own tables, /etc has none (openSUSE).
if [ ! -e /etc/services ] && [ -e /usr/etc/services ]; then cp /usr/etc/services /etc/services; fi
grep -qw submissions /etc/services \
    || echo 'submissions 465/tcp # Submission over TLS [RFC8314]' >>/etc/services

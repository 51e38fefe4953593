# Change where apt takes a suite's packages from, in both forms that it is told so (sources.list(5)).
#
# sources.sh archive [FOLDER]  from the distribution's archive, where suites go that have left the
#                              ordinary mirrors; FOLDER is /etc/apt unless given
# sources.sh trust [FOLDER]    from that archive, though its signatures are not to be verified any more
#
# The archive is a host of the same domain as the ordinary one, which the suite's image knows. Other
# hosts, such as a mirror of the user's own, are left as they are.
set -eu
folder=${2:-/etc/apt}

# In the archive, Debian's security updates are a folder beside the others, and what -updates had is in
# the suite itself. Ubuntu's has all parts of a suite, and all processors', in one folder.
hosts='
    s,//security\.\(debian\.[a-z]*\)/*\([[:space:]]\|$\),//archive.\1/debian-security\2,
    s,//[a-z0-9.-]*\.\(debian\.[a-z]*\)\([/[:space:]]\|$\),//archive.\1\2,
    s,//[a-z0-9.-]*\.\(ubuntu\.[a-z]*\)/ubuntu-ports,//old-releases.\1/ubuntu,
    s,//[a-z0-9.-]*\.\(ubuntu\.[a-z]*\)\([/[:space:]]\|$\),//old-releases.\1\2,
'
archived='//archive\.debian\.\|//old-releases\.ubuntu\.'

archive() {
    case "$1" in
        *.list) sed -e '/^[[:space:]]*#/b' -e '/\.debian\..*[a-z]-updates[[:space:]]/d' \
                    -e "$hosts" "$1";;
        *) if grep -q '^URIs:.*\.debian\.' "$1"; then
               sed -e '/^Suites:/s/[[:space:]]*[a-z]*-updates//' -e "/^URIs:/{$hosts}" "$1"
           else
               sed -e "/^URIs:/{$hosts}" "$1"
           fi;;
    esac
}

trust() {
    case "$1" in
        *.list) sed -e "\\,$archived,!b" -e 's/^deb[[:space:]]*\[/deb [trusted=yes /;t' \
                    -e 's/^deb[[:space:]]/deb [trusted=yes] /' "$1";;
        *) sed -e "\\,^URIs:.*\($archived\),s/\$/\nTrusted: yes/" "$1";;
    esac
}

case "${1:-}" in
    archive|trust) ;;
    *) echo "usage: sources.sh archive|trust [FOLDER]" >&2; exit 2;;
esac
for file in "$folder/sources.list" "$folder"/sources.list.d/*.list "$folder"/sources.list.d/*.sources
do
    [ -e "$file" ] || continue
    "$1" "$file" >"$file.new"
    cat "$file.new" >"$file"
    rm "$file.new"
done

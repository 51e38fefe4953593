# Take the packages of CentOS 7 from its archive: they have left the mirrors, and the list of mirrors is
# gone, too. They are still signed, with the keys that the image has.
#
# move-repositories.sh [FOLDER]   FOLDER is /etc/yum.repos.d unless given
#
# The archive is a host of the same domain as the ordinary one, which the image knows. Other hosts, such
# as a mirror of the user's own, are left as they are.
set -eu
folder=${1:-/etc/yum.repos.d}
for file in "$folder"/CentOS-*.repo; do
    [ -e "$file" ] || continue
    sed -e 's,^mirrorlist=,#&,' \
        -e 's,^#*baseurl=\(https*\)://mirror\.\(centos\.[a-z]*\)/,baseurl=\1://vault.\2/,' \
        "$file" >"$file.new"
    cat "$file.new" >"$file"
    rm "$file.new"
done

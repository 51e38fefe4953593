#!/bin/bash
# Let Configure run with Perl 5.30 and later, which took away the "glob" that File::Glob exported
# (OpenSSL issue 4636; 1.1.0h has a wrapper of its own). SUBDIR is the source's root in source.tar.
#
# ":bsd_glob" exports a glob that does the same. Without this ./config fails, but exits with 0, and
# the Makefile that lies in the archive builds for /usr/local.
set -euo pipefail
cd /src
tar --no-same-owner -xf source.tar "$SUBDIR"
sed -i "/'File::Glob' => /s/qw.glob.;/qw(:bsd_glob);/" "$SUBDIR/Configure" "$SUBDIR/test/build.info"
for file in Configure test/build.info; do
    grep -qF 'qw(:bsd_glob)' "$SUBDIR/$file" || {
        echo "adapt.sh: $file does not import File::Glob as 1.1.0g does" >&2
        exit 1
    }
done
tar -cf source.tar "$SUBDIR"
rm -rf "${SUBDIR:?}"

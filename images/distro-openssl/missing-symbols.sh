#!/bin/bash
# Print a line "FILE SYMBOL" for each symbol of the package's OpenSSL that a program or library of
# Postfix needs and that the new OpenSSL does not have: missing-symbols.sh PACKAGE LIBRARIES
#
# PACKAGE is a folder of package-libraries.sh, LIBRARIES the one with the new libssl.so and libcrypto.so.
# A symbol is written with its version, as in SSL_new@OPENSSL_1.0.0, where it has one.
set -euo pipefail
package=$1 libraries=$2

# A library's symbols as programs ask for them; "@@" marks the version that new programs are linked with.
print_defined() {
    readelf -W --dyn-syms "$@" | awk '$7 != "UND" && $7 != "ABS" && $8 { print $8 }' | sed 's/@@/@/'
}

print_needed() {
    readelf -W --dyn-syms "$1" 2>/dev/null | awk '$7 == "UND" && $8 { print $8 }' | sed 's/@@/@/'
}

before=$(mktemp) after=$(mktemp)
print_defined "$package/libssl" "$package/libcrypto" | sort -u >"$before"
print_defined "$libraries/libssl.so" "$libraries/libcrypto.so" | sort -u >"$after"
# A symbol without a version satisfies a program that asks for one (ld.so warns of it).
sed 's/@.*//' "$after" | sort -u >"$after.plain"
for file in "$package"/postfix/*; do
    print_needed "$file" | sort -u | comm -12 - "$before" | comm -23 - "$after" | while read -r symbol; do
        if grep -q "@" "$after" || ! grep -qxF "${symbol%%@*}" "$after.plain"; then
            echo "${file##*/} $symbol"
        fi
    done
done
rm -f "$before" "$after" "$after.plain"

# Handshakes of openssl s_client with nothing around them: run by the shell of a client's container.
# Arguments: address port starttls|implicit count jobs. Prints "COUNT SECONDS" of those that ended with
# the server's 221 over TLSv1.2. The options are those that the harness's driver gives for TLSv1.2.
set -eu
address=$1 port=$2 mode=$3 count=$4 jobs=$5
export OPENSSL_CONF=/dev/null RANDFILE=/dev/null
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
set -- s_client -connect "$address:$port" -ign_eof -crlf -tls1_2 -cipher ALL:COMPLEMENTOFALL
[ "$mode" = implicit ] || set -- "$@" -starttls smtp
begin=$(date +%s%N)
# What one fails at shows in the count; it should not end the others.
seq "$count" | xargs -P "$jobs" -I N sh -c 'exec openssl "$@" >"$0" 2>&1 <<.
EHLO bare.test
QUIT
.
' N "$@" || true
end=$(date +%s%N)
done=$(grep -l '^ *Protocol *: TLSv1.2' -- * | xargs grep -l '^221 ' | wc -l)
echo "$done $(((end - begin) / 1000000))e-3"

#!/bin/sh
# Let PHP's sockets be ours (synchronous.js). This build of PHP cannot be suspended inside of
# stream_socket_enable_crypto() and fgets(), so waiting must not suspend it; and its select() does not wait.
set -eu
sed -i 's/decorator: addSocketOptionsSupportToWebSocketClass,/decorator: () => globalThis.SynchronousSocket,/
s/^  function _wasm_poll_socket(socketd, events, timeout) {$/&\n    return globalThis.pollSynchronously(getSocketFromFD(socketd), events, timeout);/
s/^  function ___syscall__newselect(nfds, readfds, writefds, exceptfds, timeout) {$/&\n    globalThis.waitForSelected(readfds, timeout, HEAP32, (fd) => SYSCALLS.getStreamFromFD(fd).node.sock);/' "$1"
[ "$(grep -c 'decorator: () => globalThis.SynchronousSocket' "$1")" -eq 1 ]
[ "$(grep -c 'return globalThis.pollSynchronously' "$1")" -ge 1 ]
[ "$(grep -c 'globalThis.waitForSelected' "$1")" -ge 1 ]

// Sockets for PHP in WebAssembly that wait without giving the thread away: the connection is another
// thread's (network.js), and this one sleeps on a shared number until there is something to take.
'use strict';

const { MessageChannel, Worker, receiveMessageOnPort } = require('worker_threads');

const POLLIN = 1;
const POLLPRI = 2;
const shared = new SharedArrayBuffer(4);
const bell = new Int32Array(shared);
// A channel of its own: what comes over a Worker's is handed to the event loop, and gone, whenever that runs.
const { port1: ours, port2: theirs } = new MessageChannel();
const network = new Worker(require.resolve('./network.js'), {
  workerData: { shared, port: theirs },
  transferList: [theirs],
});
network.unref();

const sockets = new Map();
let last = 0;

/** Hand out all that has come; whether anything had. */
function take() {
  let any = false;
  for (let got = receiveMessageOnPort(ours); got; got = receiveMessageOnPort(ours)) {
    any = true;
    const socket = sockets.get(got.message.id);
    if (socket) {
      socket.take(got.message);
    }
  }
  return any;
}

/** Wait until something comes, `limit` milliseconds at most; whether it did. */
function wait(limit) {
  const rung = Atomics.load(bell, 0);
  if (take()) {
    return true;
  }
  Atomics.wait(bell, 0, rung, limit);
  return take();
}

class SynchronousSocket {
  constructor(url) {
    this.url = url;
    this.CONNECTING = 0;
    this.OPEN = 1;
    this.CLOSING = 2;
    this.CLOSED = 3;
    this.readyState = this.CONNECTING;
    this.heard = {};
    this.early = [];
    this.id = last += 1;
    sockets.set(this.id, this);
    const port = Number(new URL(url).searchParams.get('port'));
    ours.postMessage({ id: this.id, kind: 'connect', port });
    while (this.readyState === this.CONNECTING && wait(10000)) {
      // Until it is open, or refused.
    }
  }

  take({ kind, data }) {
    if (kind === 'open') {
      this.readyState = this.OPEN;
      this.tell('open');
    } else if (kind === 'message') {
      this.tell('message', data, true);
    } else if (kind === 'error') {
      this.readyState = this.CLOSED;
      this.tell('error', new Error('connection'));
    } else {
      this.readyState = this.CLOSED;
      this.tell('close');
    }
  }

  on(name, hear) {
    (this.heard[name] = this.heard[name] || []).push(hear);
    // A banner may come with the connection, before anybody listens.
    const early = this.early.filter((one) => one[0] === name);
    this.early = this.early.filter((one) => one[0] !== name);
    early.forEach(([, ...words]) => hear(...words));
    return this;
  }

  once(name, hear) {
    return this.on(name, hear);
  }

  addEventListener(name, hear) {
    this.on(name, hear);
  }

  removeListener() {}

  removeEventListener() {}

  setSocketOpt() {}

  tell(name, ...words) {
    if (!this.heard[name]) {
      this.early.push([name, ...words]);
    }
    (this.heard[name] || []).forEach((hear) => hear(...words));
  }

  send(data) {
    ours.postMessage({ id: this.id, kind: 'send', data: Buffer.from(data) });
  }

  close() {
    this.readyState = this.CLOSED;
    ours.postMessage({ id: this.id, kind: 'close' });
    sockets.delete(this.id);
  }
}

/** poll(2) of one socket: 1 if it can be read (or written), or has ended; 0 if time was up. */
function pollSynchronously(socket, events, timeout) {
  if (!socket) {
    return 0;
  }
  take();
  if (!(events & (POLLIN | POLLPRI))) {
    return 1;
  }
  const ready = () =>
    socket.recv_queue.length > 0 || Object.values(socket.peers).every((peer) => peer.socket.readyState > 1);
  const end = Date.now() + (timeout < 0 ? 60000 : timeout);
  while (!ready()) {
    const left = end - Date.now();
    if (left <= 0) {
      return 0;
    }
    wait(left);
  }
  return 1;
}

/** select(2) before it looks: sleep until the first socket that is to be read can be, or time is up. */
function waitForSelected(readfds, timeout, memory, socketOf) {
  for (let fd = 0; readfds && fd < 64; fd += 1) {
    const wanted = memory[(readfds >> 2) + (fd >> 5)];
    const socket = wanted & (1 << fd % 32) ? socketOf(fd) : null;
    if (socket) {
      pollSynchronously(socket, POLLIN, timeout ? memory[timeout >> 2] * 1000 : -1);
      return;
    }
  }
}

module.exports = { SynchronousSocket, pollSynchronously, waitForSelected };

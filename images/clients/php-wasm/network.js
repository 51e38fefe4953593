// The thread that has the real connection, while the thread of PHP waits for it (synchronous.js).
'use strict';

const net = require('net');
const { workerData } = require('worker_threads');

const { port: parent } = workerData;
const bell = new Int32Array(workerData.shared);
const sockets = new Map();

function tell(message) {
  parent.postMessage(message);
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}

function connect(id, port) {
  const socket = net.connect({ host: '127.0.0.1', port, noDelay: true });
  sockets.set(id, socket);
  socket.on('connect', () => tell({ id, kind: 'open' }));
  socket.on('data', (data) => tell({ id, kind: 'message', data }));
  socket.on('error', (error) => tell({ id, kind: 'error', words: error.message }));
  socket.on('close', () => tell({ id, kind: 'close' }));
}

parent.on('message', ({ id, kind, port, data }) => {
  if (kind === 'connect') {
    connect(id, port);
  } else if (kind === 'send') {
    sockets.get(id).write(data);
  } else {
    sockets.get(id).end();
    sockets.delete(id);
  }
});

// node host_node.js ADDON ORDER: a guest on the loop of Node, or, with the
// order worker, on that of a Worker that ends with the guest at work.
'use strict';
const fs = require('fs');
const net = require('net');
const { once } = require('events');
const { setTimeout: sleep } = require('timers/promises');
const { Worker, isMainThread, workerData } = require('worker_threads');

const ECANCELED = -125;
const LIMIT_MS = 20000;

function attach(path) {
  const addon = require(path);
  const guest = { ask: addon.ask };
  addon.names.forEach((name, index) => {
    guest[name] = (...numbers) => addon.call(index, ...numbers);
  });
  return guest;
}

async function talk(port) {
  const socket = net.connect(port, '127.0.0.1');
  socket.write('a line');
  const [data] = await once(socket, 'data');
  socket.destroy();
  return data.toString() === 'a line';
}

// Give it all the work that JavaScript has. Returns the number of a wait whose
// callback is still to come, and whether all was right.
async function work(guest) {
  const later = guest.expect(0);
  setTimeout(() => guest.complete(later, 7), 2);
  const read = guest.expect(0);
  fs.promises.readFile(__filename).then((data) => {
    guest.complete(read, data.length);
  });
  guest.ask(() => sleep(1).then(() => guest.answered(42)));
  const cancelled = guest.expect(0);
  const late = guest.expect(1);

  const server = net.createServer((socket) => socket.pipe(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  guest.talk(server.address().port);
  while (!guest.port()) {
    await sleep(1);
  }
  guest.cancel(cancelled);
  let right = await talk(guest.port());
  while (!guest.ready()) {
    await sleep(1);
  }
  guest.complete(cancelled, 1);
  server.close();
  await once(server, 'close');
  right = right && guest.result(later) === 7 &&
    guest.result(read) === fs.statSync(__filename).size &&
    guest.result(cancelled) === ECANCELED;
  return [late, right];
}

async function main(path, order) {
  const limit = setTimeout(() => {
    console.log('FAIL: the work hangs');
    process.exit(1);
  }, LIMIT_MS);
  const guest = attach(path);
  const [late, right] = await work(guest);
  if (!right) {
    console.log("FAIL: a callback of JavaScript's gave something else");
    process.exit(1);
  }
  if (order === 'guest' || order === 'detach') {
    if (order === 'guest') {
      guest.leave();
    } else {
      guest.detach();
    }
    while (!guest.gone()) {
      await sleep(1);
    }
    guest.complete(late, 1);
    process.exitCode = guest.finish() === 0 ? 0 : 1;
  } else if (order === 'both') {
    guest.leave(); // Node ends when nothing is left on its loop.
  } else {
    process.exit(0);
  }
  clearTimeout(limit);
}

if (!isMainThread) {
  main(workerData, 'worker');
} else if (process.argv[3] === 'worker') {
  const worker = new Worker(__filename, { workerData: process.argv[2] });
  worker.on('exit', (status) => {
    process.exitCode = status;
  });
  worker.on('error', (error) => {
    console.log(`FAIL: ${error}`);
  });
} else {
  main(process.argv[2], process.argv[3]);
}

// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// Each job is one run of shop.php on PHP 5.6.
'use strict';

const fs = require('fs');
const readline = require('readline');
Object.assign(globalThis, require('./synchronous.js'));
const { NodePHP } = require('@php-wasm/node');

const LIBRARY = '/opt/client/library';
// Its sockets are never given back, and its select() knows 64 of them.
const MOST_JOBS = 16;
const STARTTLS = fs.readFileSync('/opt/client/starttls', 'utf8');

async function start() {
  const php = await NodePHP.load('5.6');
  php.mkdirTree('/client');
  fs.readdirSync(LIBRARY).forEach((name) => php.writeFile(`/client/${name}`, fs.readFileSync(`${LIBRARY}/${name}`)));
  php.writeFile('/client/shop.php', fs.readFileSync('/opt/client/shop.php'));
  return php;
}

async function run(php, call) {
  const code = `<?php require '/client/shop.php'; echo "\\n", json_encode(${call}), "\\n";`;
  const { text, errors } = await php.run({ code });
  const lines = text.trim().split('\n');
  try {
    return JSON.parse(lines[lines.length - 1]);
  } catch (error) {
    throw new Error(`PHP printed ${JSON.stringify(text.slice(-500))}; ${errors}`);
  }
}

async function main() {
  const php = await start();
  let jobs = 0;
  if (process.argv[2] === '--describe') {
    console.log(JSON.stringify(await run(php, 'describe()')));
    process.exit(0);
  }
  for await (const line of readline.createInterface({ input: process.stdin, terminal: false })) {
    const job = JSON.parse(line);
    if (job.warm) {
      await run(php, 'describe()');
      process.stdout.write('{}\n');
      continue;
    }
    php.writeFile('/client/ca.pem', fs.readFileSync(job.ca_file));
    const given = Buffer.from(JSON.stringify({ ...job, starttls: STARTTLS, ca_file: '/client/ca.pem' }));
    const told = await run(php, `send(json_decode(base64_decode('${given.toString('base64')}'), true))`);
    jobs += 1;
    told.last = jobs >= MOST_JOBS;
    process.stdout.write(JSON.stringify(told) + '\n');
  }
  process.exit(0);
}

main().catch((error) => {
  console.error(error.stack);
  process.exit(1);
});

// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// Each job is one message, sent as nodemailer's documentation has it.
'use strict';

const fs = require('fs');
const readline = require('readline');
const nodemailer = require('nodemailer');

// All suites of TLSv1.3, in OpenSSL's order; the option below names the others.
const ALL = 'ALL:COMPLEMENTOFALL';
const STAGES = { EHLO: 'ehlo', HELO: 'ehlo', AUTH: 'auth', MAIL: 'mail', RCPT: 'rcpt', DATA: 'data' };
// OpenSSL 1.1.0 brought security levels, and forbids old versions at the default one from 3.0 on.
const LEVEL = parseInt(process.versions.openssl, 10) > 1 || /^1\.1/.test(process.versions.openssl) ? ':@SECLEVEL=0' : '';

function tlsOptions(job) {
  const ca = fs.readFileSync(job.ca_file);
  if (!job.lowest) {
    return { ca: ca, servername: job.host };
  }
  const options = {
    ca: ca,
    servername: job.host,
    rejectUnauthorized: false,
    minVersion: job.lowest,
    maxVersion: job.highest,
    ciphers: (job.ciphers.length ? job.ciphers.join(':') : ALL) + LEVEL,
  };
  if (job.groups.length) {
    options.ecdhCurve = job.groups.join(':');
  }
  return options;
}

function settings(job) {
  const chosen = {
    // nodemailer asks a name server before it asks the machine, and here is none that would know.
    host: '127.0.0.1',
    port: job.port,
    secure: job.implicit,
    tls: tlsOptions(job),
  };
  if (job.lowest && !job.implicit) {
    chosen.requireTLS = true;
  }
  if (job.username) {
    chosen.auth = { user: job.username, pass: job.password };
  }
  return chosen;
}

function failed(error) {
  const verb = String(error.command || '').split(' ')[0];
  return {
    sent: false,
    error: [error.code, error.message].filter(Boolean).join(': '),
    code: error.responseCode || null,
    text: String(error.response || '').replace(/^\d{3}[ -]/, ''),
    stage: error.code === 'EAUTH' ? 'auth' : STAGES[verb] || null,
  };
}

function answer(job, done) {
  const message = { from: job.from, to: job.to, subject: job.subject, text: job.subject + '\n' };
  const transport = nodemailer.createTransport(settings(job));
  transport.sendMail(message, function (error, info) {
    transport.close();
    if (error) {
      return done(failed(error));
    }
    done({ sent: true, code: 250, text: String(info.response).replace(/^250 /, '') });
  });
}

if (process.argv[2] === '--describe') {
  console.log(
    JSON.stringify({
      node: process.version.slice(1),
      openssl: process.versions.openssl,
      nodemailer: require('nodemailer/package.json').version,
    })
  );
} else {
  readline.createInterface({ input: process.stdin, terminal: false }).on('line', function (line) {
    answer(JSON.parse(line), function (result) {
      process.stdout.write(JSON.stringify(result) + '\n');
    });
  });
}

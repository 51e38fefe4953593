// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// Each job is one message, sent as the documentation of that nodemailer has it. Runs on Node.js from 0.8
// on, so it is written in the JavaScript of that time, and on Bun and Deno.
'use strict';

var fs = require('fs');
var crypto = require('crypto');
var tls = require('tls');
var nodemailer = require('nodemailer');

var constants = crypto.constants || require('constants');
var VERSION = require('nodemailer/package.json').version;
var OPENSSL = process.versions.openssl;
// BoringSSL leaves these two out of its ALL unless they are named.
var ALL = 'ALL:COMPLEMENTOFALL' + (process.versions.bun ? ':ECDHE-RSA-AES128-SHA256:DES-CBC3-SHA' : '');
var PROTOCOLS = ['SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
var STAGES = { EHLO: 'ehlo', HELO: 'ehlo', AUTH: 'auth', MAIL: 'mail', RCPT: 'rcpt', DATA: 'data' };
// OpenSSL 1.1.0 brought security levels, and forbids old versions at the default one from 3.0 on. BoringSSL,
// which calls itself OpenSSL 1.1.0 in Bun, has none and takes no list that names one.
var LEVEL = process.versions.bun || /^(0|1\.0)\./.test(OPENSSL) ? '' : ':@SECLEVEL=0';
// Node.js 10 brought minVersion and maxVersion; before, a method of OpenSSL's was named.
var HAS_RANGE = parseInt(process.version.slice(1), 10) >= 10;
// nodemailer 0.x takes no options for TLS: what it hands to Node.js is completed on the way.
var IS_OLD = /^0\./.test(VERSION);

var current = null;
var pinned = null;

function methodOf(version) {
  return version.replace('.', '_') + '_method';
}

function excluded(job) {
  var sum = 0;
  PROTOCOLS.forEach(function (version, rank) {
    var inside = rank >= PROTOCOLS.indexOf(job.lowest) && rank <= PROTOCOLS.indexOf(job.highest);
    if (!inside) {
      sum += constants['SSL_OP_NO_' + version.replace('.', '_')] || 0;
    }
  });
  return sum;
}

function offerOptions(job) {
  var options = {
    rejectUnauthorized: false,
    ciphers: (job.ciphers.length ? job.ciphers.join(':') : ALL) + LEVEL,
  };
  if (HAS_RANGE) {
    options.minVersion = job.lowest;
    options.maxVersion = job.highest;
  } else if (job.lowest === job.highest) {
    options.secureProtocol = methodOf(job.lowest);
  } else {
    options.secureProtocol = 'SSLv23_method';
    options.secureOptions = excluded(job);
  }
  if (job.groups.length) {
    options.ecdhCurve = job.groups.join(':');
  }
  return options;
}

function tlsOptions(job) {
  var options = job.lowest ? offerOptions(job) : {};
  options.ca = fs.readFileSync(job.ca_file);
  options.servername = job.sni === null ? '' : job.sni;
  if (job.certificate) {
    options.cert = fs.readFileSync(job.certificate);
    options.key = fs.readFileSync(job.key);
  }
  return options;
}

function settings(job) {
  var chosen = {
    // nodemailer asks a name server before it asks the machine, and here is none that would know.
    host: '127.0.0.1',
    port: job.port,
    secure: job.implicit,
    secureConnection: job.implicit,
    ignoreTLS: job.plaintext,
    name: 'client.test',
  };
  if (!IS_OLD) {
    chosen.tls = tlsOptions(job);
  }
  if (job.lowest && !job.implicit) {
    chosen.requireTLS = true;
  }
  if (job.username) {
    chosen.auth = { user: job.username, pass: job.password };
  }
  return chosen;
}

function failed(error) {
  var verb = String(error.command || '').split(' ')[0];
  var reply = /\b([45]\d\d)[ -](\d\.\d+\.\d+ .*)/.exec(error.response || error.data || error.message || '');
  return {
    sent: false,
    error: [error.code || error.name, error.message].filter(Boolean).join(': '),
    code: error.responseCode || (reply ? Number(reply[1]) : null),
    text: reply ? reply[2] : null,
    stage: error.code === 'EAUTH' || error.name === 'AuthError' ? 'auth' : STAGES[verb] || null,
  };
}

function complete(original, place) {
  return function () {
    var given = Array.prototype.slice.call(arguments);
    if (pinned) {
      var at = place(given);
      given[at] = Object.keys(pinned).reduce(function (all, key) {
        all[key] = pinned[key];
        return all;
      }, given[at] || {});
    }
    return original.apply(this, given);
  };
}

function optionsAt(given) {
  for (var at = 0; at < given.length; at++) {
    if (given[at] && typeof given[at] === 'object') {
      return at;
    }
  }
  return typeof given[given.length - 1] === 'function' ? given.length - 1 : given.length;
}

function send(job, done) {
  var message = { from: job.from, to: job.to, subject: job.subject, text: job.subject + '\n' };
  var transport = IS_OLD
    ? nodemailer.createTransport('SMTP', settings(job))
    : nodemailer.createTransport(settings(job));
  pinned = IS_OLD && job.lowest ? offerOptions(job) : null;
  transport.sendMail(message, function (error, info) {
    transport.close();
    if (error) {
      return done(failed(error));
    }
    var words = String(info.response || info.message || '');
    done({ sent: true, code: 250, text: words.replace(/^250 /, '') });
  });
}

function answer(job) {
  current = function (result) {
    current = null;
    // What an old release still throws of a broken connection would be taken for the next job's.
    result.last = IS_OLD || (!result.sent && !HAS_RANGE);
    process.stdout.write(JSON.stringify(result) + '\n');
  };
  var mine = current;
  function done(result) {
    // A broken connection may be told twice.
    if (mine === current) {
      mine(result);
    }
  }
  try {
    send(job, done);
  } catch (error) {
    done(failed(error));
  }
}

// Old releases throw some of TLS's errors at nobody.
process.on('uncaughtException', function (error) {
  if (current) {
    current(failed(error));
  } else {
    console.error(error.stack);
  }
});

if (process.argv[2] === '--describe') {
  console.log(JSON.stringify({ nodemailer: VERSION, versions: process.versions }));
} else {
  if (IS_OLD) {
    crypto.createCredentials = complete(crypto.createCredentials, function () { return 0; });
    tls.connect = complete(tls.connect, optionsAt);
  }
  var rest = '';
  process.stdin.setEncoding('utf8');
  process.stdin.on('data', function (chunk) {
    var lines = (rest + chunk).split('\n');
    rest = lines.pop();
    lines.filter(Boolean).forEach(function (line) { answer(JSON.parse(line)); });
  });
  process.stdin.on('end', function () { process.exit(0); });
  process.stdin.resume();
}

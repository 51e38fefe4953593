<?php
// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// The first argument is the library: phpmailer.php or swiftmailer.php, with describe() and send($job).
// Runs on PHP 5.4 and later.

error_reporting(E_ALL & ~E_DEPRECATED & ~E_STRICT);
ini_set('display_errors', 'stderr');

class Incapable extends Exception
{
}

/** Bits of PHP's method by version; those of a PHP that lacks the constant are left out. */
function methods()
{
    $methods = [];
    foreach (['TLSv1' => 'TLSv1_0', 'TLSv1.1' => 'TLSv1_1', 'TLSv1.2' => 'TLSv1_2', 'TLSv1.3' => 'TLSv1_3'] as $version => $name) {
        if (defined("STREAM_CRYPTO_METHOD_{$name}_CLIENT")) {
            $methods[$version] = constant("STREAM_CRYPTO_METHOD_{$name}_CLIENT");
        }
    }
    // Before PHP 5.6 a method is no set of bits, and this one is TLSv1.
    return $methods ? $methods : ['TLSv1' => STREAM_CRYPTO_METHOD_TLS_CLIENT];
}

/** PHP's method for an offer: the bits of all its versions. */
function method_of($job)
{
    $order = ['SSLv2', 'SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
    $methods = methods();
    $method = 0;
    $from = array_search($job['lowest'], $order);
    foreach (array_slice($order, $from, array_search($job['highest'], $order) - $from + 1) as $version) {
        if (!isset($methods[$version])) {
            throw new Incapable("this PHP has no method for $version");
        }
        $method |= $methods[$version];
    }
    return $method;
}

/** OpenSSL 1.1.0 brought security levels; earlier ones refuse a list that names one. */
function has_levels()
{
    return OPENSSL_VERSION_NUMBER >= 0x10100000;
}

/** The stream context's options for TLS: which authority to trust, and what an offer takes. */
function ssl_options($job)
{
    $named = ['cafile' => $job['ca_file'], 'peer_name' => $job['host']];
    if ($job['lowest'] === null) {
        return $named;
    }
    foreach ($job['ciphers'] as $name) {
        if (strpos($name, 'TLS_') === 0) {
            throw new Incapable('PHP cannot choose among the ciphers of TLSv1.3');
        }
    }
    if ($job['groups']) {
        throw new Incapable('PHP has no option for groups');
    }
    if ($job['implicit'] && PHP_VERSION_ID < 50600) {
        throw new Incapable('before PHP 5.6, ssl:// cannot be told what to offer');
    }
    $ciphers = $job['ciphers'] ? implode(':', $job['ciphers']) : 'ALL:COMPLEMENTOFALL';
    return $named + [
        'verify_peer' => false,
        'verify_peer_name' => false,
        'ciphers' => $ciphers . (has_levels() ? ':@SECLEVEL=0' : ''),
        'crypto_method' => method_of($job),
    ] + (has_levels() ? ['security_level' => 0] : []);
}

$warnings = [];
set_error_handler(function ($number, $text) {
    if (error_reporting() & $number || strpos($text, 'SSL') !== false || strpos($text, 'stream_socket') === 0) {
        $GLOBALS['warnings'][] = $text;
    }
    return true;
});

/** What PHP and OpenSSL said since the last call; PHP says nothing of a cipher list that is refused. */
function take_warnings()
{
    $kept = $GLOBALS['warnings'];
    $GLOBALS['warnings'] = [];
    $library = [];
    while (($words = openssl_error_string()) !== false) {
        $library[] = $words;
    }
    return $kept ? $kept : $library;
}

require __DIR__ . "/{$argv[1]}.php";

if (isset($argv[2]) && $argv[2] === '--describe') {
    // A library that takes no offer describes that itself.
    echo json_encode(describe() + [
        'tls_library' => 'OpenSSL',
        'tls_version' => OPENSSL_VERSION_TEXT,
        'offers' => array_keys(methods()),
        'STREAM_CRYPTO_METHOD_TLS_CLIENT' => STREAM_CRYPTO_METHOD_TLS_CLIENT,
    ]), "\n";
    exit;
}
while (!feof(STDIN)) {
    $line = fgets(STDIN);
    if ($line === false) {
        // A read that a signal broke off is no end (feof tells); PHP retries it once by itself.
        continue;
    }
    take_warnings();
    try {
        $result = send(json_decode($line, true));
    } catch (Incapable $error) {
        $result = ['incapable' => $error->getMessage()];
    } catch (Exception $error) {
        $result = ['sent' => false, 'error' => $error->getMessage()];
    }
    if (empty($result['sent']) && isset($result['error'])) {
        $result['error'] = implode('; ', array_unique(array_merge([$result['error']], take_warnings())));
        $result['error'] = preg_replace('/[^\x09\x0a\x20-\x7e]/', '?', $result['error']);
    }
    echo json_encode($result), "\n";
}

<?php
// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// library.php has the library's describe() and send($job). Written for PHP 7.4 and later.

error_reporting(E_ALL & ~E_DEPRECATED);
ini_set('display_errors', 'stderr');
require __DIR__ . '/library.php';

class Incapable extends Exception
{
}

const METHODS = [
    'SSLv2' => 'STREAM_CRYPTO_METHOD_SSLv2_CLIENT',
    'SSLv3' => 'STREAM_CRYPTO_METHOD_SSLv3_CLIENT',
    'TLSv1' => 'STREAM_CRYPTO_METHOD_TLSv1_0_CLIENT',
    'TLSv1.1' => 'STREAM_CRYPTO_METHOD_TLSv1_1_CLIENT',
    'TLSv1.2' => 'STREAM_CRYPTO_METHOD_TLSv1_2_CLIENT',
    'TLSv1.3' => 'STREAM_CRYPTO_METHOD_TLSv1_3_CLIENT',
];

/** PHP's method for an offer: the bits of all its versions. */
function method_of($job)
{
    $names = array_keys(METHODS);
    $inside = array_slice(METHODS, array_search($job['lowest'], $names),
        array_search($job['highest'], $names) - array_search($job['lowest'], $names) + 1);
    $method = 0;
    foreach ($inside as $version => $name) {
        if (!defined($name)) {
            throw new Incapable("PHP has no constant $name");
        }
        if (strpos($version, 'SSL') === 0) {
            throw new Incapable("PHP has no $version here, and takes $name for any version: Debian's OpenSSL is built without it");
        }
        $method |= constant($name);
    }
    return $method;
}

/** The stream context's options for TLS: which authority to trust, and what an offer takes. */
function ssl_options($job)
{
    if ($job['lowest'] === null) {
        return ['cafile' => $job['ca_file']];
    }
    foreach ($job['ciphers'] as $name) {
        if (strpos($name, 'TLS_') === 0) {
            throw new Incapable('PHP cannot choose among the ciphers of TLSv1.3');
        }
    }
    if ($job['groups']) {
        throw new Incapable('PHP has no option for groups');
    }
    return [
        'cafile' => $job['ca_file'],
        'verify_peer' => false,
        'verify_peer_name' => false,
        'security_level' => 0,
        'ciphers' => ($job['ciphers'] ? implode(':', $job['ciphers']) : 'ALL:COMPLEMENTOFALL') . ':@SECLEVEL=0',
        'crypto_method' => method_of($job),
    ];
}

/** Warnings of PHP's own since the last call, which the library may not pass on. */
function warnings($new = null)
{
    static $kept = [];
    if ($new !== null) {
        $kept[] = $new;
        return [];
    }
    [$told, $kept] = [$kept, []];
    return $told;
}

/** What OpenSSL said since the last call. PHP warns of most of it, and of a refused cipher list says nothing. */
function library_words()
{
    $told = [];
    while (($words = openssl_error_string()) !== false) {
        $told[] = $words;
    }
    return $told;
}

set_error_handler(function ($number, $text) {
    warnings($text);
    return true;
});

if (($argv[1] ?? '') === '--describe') {
    echo json_encode(describe() + ['php' => PHP_VERSION, 'openssl' => OPENSSL_VERSION_TEXT]), "\n";
    exit;
}
while (!feof(STDIN)) {
    $line = fgets(STDIN);
    if ($line === false) {
        // A read that a signal broke off is no end (feof tells); PHP retries it once by itself.
        continue;
    }
    warnings();
    library_words();
    try {
        $told = send(json_decode($line, true));
    } catch (Incapable $error) {
        $told = ['incapable' => $error->getMessage()];
    }
    if (empty($told['sent']) && isset($told['error'])) {
        $words = array_merge([$told['error']], warnings() ?: library_words());
        $told['error'] = implode('; ', array_unique($words));
    }
    echo json_encode($told, JSON_INVALID_UTF8_SUBSTITUTE), "\n";
}

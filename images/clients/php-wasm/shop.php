<?php
// The shop: PHPMailer as its README has it, on PHP 5.6.

ini_set('date.timezone', 'UTC');
foreach (array('Exception', 'SMTP', 'PHPMailer') as $name) {
    require_once "/client/$name.php";
}
require_once '/client/watched.php';

/**
 * PHPMailer's SMTP client with STARTTLS as PHPMailer had it at the time: one call, one constant. Until PHP 7.2 that
 * constant is TLSv1 and nothing else.
 */
class OldSMTP extends Watched
{
    public function startTLS()
    {
        if (!$this->sendCommand('STARTTLS', 'STARTTLS', 220)) {
            return false;
        }
        return (bool) stream_socket_enable_crypto($this->smtp_conn, true, STREAM_CRYPTO_METHOD_TLS_CLIENT);
    }
}

function describe()
{
    return array(
        'php' => PHP_VERSION,
        'library' => PHPMailer\PHPMailer\PHPMailer::VERSION,
        'openssl' => OPENSSL_VERSION_TEXT,
        'constant' => STREAM_CRYPTO_METHOD_TLS_CLIENT,
    );
}

$warnings = array();
set_error_handler(function ($number, $text) {
    $GLOBALS['warnings'][] = $text;
    return true;
});

function send($job)
{
    $mail = new PHPMailer\PHPMailer\PHPMailer(false);
    $mail->isSMTP();
    $mail->Host = '127.0.0.1';
    $mail->Port = $job['port'];
    $mail->Helo = 'client.test';
    $mail->Hostname = 'client.test';
    $mail->Timeout = (int) ceil($job['time_limit']);
    $mail->SMTPSecure = $job['implicit'] ? 'ssl' : 'tls';
    $mail->SMTPOptions = array('ssl' => array('cafile' => $job['ca_file'], 'peer_name' => $job['host']));
    $mail->SMTPAuth = $job['username'] !== null;
    $mail->AuthType = 'LOGIN';
    $mail->Username = (string) $job['username'];
    $mail->Password = (string) $job['password'];
    $client = $job['starttls'] === 'old' ? new OldSMTP() : new Watched();
    $mail->setSMTPInstance($client);
    $mail->setFrom($job['from']);
    $mail->addAddress($job['to']);
    $mail->Subject = $job['subject'];
    $mail->Body = $job['subject'] . "\n";
    $sent = $mail->send();
    $client->close();
    if ($sent) {
        return array('sent' => true, 'code' => 250, 'text' => $client->taken);
    }
    list($command, $code, $text) = $client->refused;
    $words = array_merge(array($mail->ErrorInfo), $GLOBALS['warnings']);
    while ($told = openssl_error_string()) {
        $words[] = $told;
    }
    return array(
        'sent' => false,
        'error' => implode('; ', array_unique($words)),
        'code' => $code,
        'text' => $text,
        'stage' => stage_of($command),
    );
}

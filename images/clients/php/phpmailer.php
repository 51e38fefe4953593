<?php
// PHPMailer, as its README has it.

require '/usr/share/php/libphp-phpmailer/autoload.php';

use PHPMailer\PHPMailer\PHPMailer;
use PHPMailer\PHPMailer\SMTP;

/** Its SMTP client, whose STARTTLS offers what it is told instead of what it has built in. */
class Pinned extends SMTP
{
    public $method;

    public function startTLS()
    {
        if (!$this->sendCommand('STARTTLS', 'STARTTLS', 220)) {
            return false;
        }
        return (bool) stream_socket_enable_crypto($this->smtp_conn, true, $this->method);
    }
}

function describe()
{
    return ['client' => 'phpmailer', 'library' => 'PHPMailer ' . PHPMailer::VERSION];
}

function mailer($job)
{
    $mail = new PHPMailer(false);
    $mail->isSMTP();
    $mail->Host = $job['host'];
    $mail->Port = $job['port'];
    $mail->Helo = 'client.test';
    $mail->Timeout = (int) ceil($job['time_limit']);
    $mail->SMTPSecure = $job['implicit'] ? 'ssl' : 'tls';
    $mail->SMTPOptions = ['ssl' => ssl_options($job)];
    $mail->SMTPAuth = $job['username'] !== null;
    $mail->Username = (string) $job['username'];
    $mail->Password = (string) $job['password'];
    if ($job['lowest'] !== null) {
        $client = new Pinned();
        $client->method = method_of($job);
        $mail->setSMTPInstance($client);
    }
    $mail->setFrom($job['from']);
    $mail->addAddress($job['to']);
    $mail->Subject = $job['subject'];
    $mail->Body = $job['subject'] . "\n";
    return $mail;
}

function send($job)
{
    $mail = mailer($job);
    $sent = $mail->send();
    $client = $mail->getSMTPInstance();
    $error = $client->getError();
    $reply = $client->getLastReply();
    $client->close();
    if ($sent) {
        // The last reply is QUIT's by now.
        return ['sent' => true, 'queue_id' => $client->getLastTransactionID() ?: null];
    }
    $detail = trim($error['error'] . ' ' . $error['detail']);
    $refused = preg_match('/^([45]\d\d)[ -](.*)/s', trim($reply), $found);
    return [
        'sent' => false,
        'error' => $mail->ErrorInfo . ($detail === '' || strpos($mail->ErrorInfo, $detail) !== false ? '' : "; $detail"),
        'code' => $refused ? (int) $found[1] : null,
        'text' => $refused ? trim($found[2]) : null,
        'stage' => stripos($mail->ErrorInfo, 'authenticate') !== false ? 'auth' : null,
    ];
}

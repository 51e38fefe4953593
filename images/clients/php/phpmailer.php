<?php
// PHPMailer, as its README has it.

require '/usr/share/php/libphp-phpmailer/autoload.php';
require __DIR__ . '/watched.php';

use PHPMailer\PHPMailer\PHPMailer;

/** Its SMTP client, whose STARTTLS offers what it is told instead of what it has built in. */
class Pinned extends Watched
{
    public $method;
    private $deaf = false;

    public function startTLS()
    {
        if (!$this->sendCommand('STARTTLS', 'STARTTLS', 220)) {
            return false;
        }
        $this->deaf = !stream_socket_enable_crypto($this->smtp_conn, true, $this->method);
        return !$this->deaf;
    }

    /** The server waits for TLS: it would not understand a QUIT, and its answer would not come. */
    public function quit($close_on_error = true)
    {
        if ($this->deaf) {
            $this->close();
            return true;
        }
        return parent::quit($close_on_error);
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
    $client = $job['lowest'] === null ? new Watched() : new Pinned();
    if ($job['lowest'] !== null) {
        $client->method = method_of($job);
    }
    $mail->setSMTPInstance($client);
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
    $client->close();
    if ($sent) {
        return ['sent' => true, 'code' => 250, 'text' => $client->taken];
    }
    [$command, $code, $text] = $client->refused;
    $detail = trim($error['error'] . ' ' . $error['detail']);
    return [
        'sent' => false,
        'error' => $mail->ErrorInfo . ($detail === '' || strpos($mail->ErrorInfo, $detail) !== false ? '' : "; $detail"),
        'code' => $code,
        'text' => $text,
        'stage' => stage_of($command),
    ];
}

<?php
// PHPMailer, as its README has it.

require '/usr/share/php/libphp-phpmailer/autoload.php';

use PHPMailer\PHPMailer\PHPMailer;
use PHPMailer\PHPMailer\SMTP;

/** Its SMTP client, which also keeps the reply that refused, the one that took the message, and to what. */
class Watched extends SMTP
{
    public $refused = array(null, null, null);
    public $taken = null;

    protected function sendCommand($command, $text, $expect)
    {
        $done = parent::sendCommand($command, $text, $expect);
        $reply = trim($this->last_reply);
        if (preg_match('/^([45]\d\d)[ -](.*)/s', $reply, $found)) {
            $this->refused = array($command, (int) $found[1], trim($found[2]));
        }
        if ($command === 'DATA END' && $done) {
            $this->taken = trim(preg_replace('/^250 /', '', $reply));
        }
        return $done;
    }
}

/** The contract's stage of one of PHPMailer's commands. */
function stage_of($command)
{
    $stages = array('MAIL FROM' => 'mail', 'RCPT TO' => 'rcpt', 'DATA' => 'data', 'DATA END' => 'data');
    $stages += array('EHLO' => 'ehlo', 'HELO' => 'ehlo', 'STARTTLS' => 'starttls');
    return isset($stages[$command]) ? $stages[$command] : ($command === null ? null : 'auth');
}

/** The same, whose STARTTLS offers what it is told instead of what it has built in. */
class Pinned extends Watched
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

<?php
// PHPMailer as its README has it: 5.2, without a namespace, to 6.

$folder = '/usr/share/php/libphp-phpmailer';
foreach (["$folder/PHPMailerAutoload.php", "$folder/autoload.php", '/usr/share/php/PHPMailer/autoload.php'] as $file) {
    if (is_file($file)) {
        require_once $file;
        break;
    }
}
if (!class_exists('PHPMailer\PHPMailer\PHPMailer') && is_file("$folder/src/PHPMailer.php")) {
    foreach (['Exception', 'SMTP', 'PHPMailer'] as $name) {
        require_once "$folder/src/$name.php";
    }
}
if (class_exists('PHPMailer\PHPMailer\PHPMailer')) {
    class_alias('PHPMailer\PHPMailer\PHPMailer', 'AnyPhpmailer');
    class_alias('PHPMailer\PHPMailer\SMTP', 'AnySmtp');
} else {
    class_alias('PHPMailer', 'AnyPhpmailer');
    class_alias('SMTP', 'AnySmtp');
}

/** Its SMTP client, which also keeps the reply that refused, and the one that took the message. */
class Watched extends AnySmtp
{
    public $refused = [null, null, null];
    public $taken = null;

    protected function sendCommand($command, $text, $expect)
    {
        $done = parent::sendCommand($command, $text, $expect);
        $reply = trim($this->last_reply);
        if (preg_match('/^([45]\d\d)[ -](.*)/s', $reply, $parts)) {
            $this->refused = [$command, (int) $parts[1], trim($parts[2])];
        }
        if ($command === 'DATA END' && $done) {
            $this->taken = trim(preg_replace('/^250 /', '', $reply));
        }
        return $done;
    }
}

/** The same, whose STARTTLS offers what it is told instead of what it has built in. */
class Pinned extends Watched
{
    public $method;
    private $failed = false;

    public function startTLS()
    {
        if (!$this->sendCommand('STARTTLS', 'STARTTLS', 220)) {
            return false;
        }
        $this->failed = !stream_socket_enable_crypto($this->smtp_conn, true, $this->method);
        return !$this->failed;
    }

    /** The server waits for TLS: it would not understand a QUIT, and its answer would not come. */
    public function quit($close_on_error = true)
    {
        if ($this->failed) {
            $this->close();
            return true;
        }
        return parent::quit($close_on_error);
    }
}

class WatchedPhpmailer extends AnyPhpmailer
{
    public $client;

    public function getSMTPInstance()
    {
        return $this->client;
    }
}

function stage_of($command)
{
    $stages = ['MAIL FROM' => 'mail', 'RCPT TO' => 'rcpt', 'DATA' => 'data', 'DATA END' => 'data'];
    $stages += ['EHLO' => 'ehlo', 'HELO' => 'ehlo', 'STARTTLS' => 'starttls'];
    return isset($stages[$command]) ? $stages[$command] : ($command === null ? null : 'auth');
}

function phpmailer_version()
{
    if (defined('AnyPhpmailer::VERSION')) {
        return AnyPhpmailer::VERSION;
    }
    $mail = new AnyPhpmailer();
    return $mail->Version;
}

function describe()
{
    return ['client' => 'phpmailer', 'version' => 'PHPMailer ' . phpmailer_version() . ' on PHP ' . PHP_VERSION];
}

function make_mail($job)
{
    $mail = new WatchedPhpmailer(false);
    $mail->isSMTP();
    $mail->Host = $job['host'];
    $mail->Port = $job['port'];
    $mail->Helo = 'client.test';
    $mail->Timeout = (int) ceil($job['time_limit']);
    $mail->SMTPSecure = $job['plaintext'] ? '' : ($job['implicit'] ? 'ssl' : 'tls');
    if ($job['plaintext']) {
        $mail->SMTPAutoTLS = false;
    }
    $mail->SMTPOptions = ['ssl' => ssl_options($job)];
    $mail->SMTPAuth = $job['username'] !== null;
    $mail->Username = (string) $job['username'];
    $mail->Password = (string) $job['password'];
    $mail->client = $job['lowest'] === null ? new Watched() : new Pinned();
    if ($job['lowest'] !== null) {
        $mail->client->method = method_of($job);
    }
    $mail->setFrom($job['from']);
    $mail->addAddress($job['to']);
    $mail->Subject = $job['subject'];
    $mail->Body = $job['subject'] . "\n";
    return $mail;
}

function send($job)
{
    $mail = make_mail($job);
    $sent = $mail->send();
    $error = $mail->client->getError();
    $mail->client->close();
    if ($sent) {
        return ['sent' => true, 'code' => 250, 'text' => $mail->client->taken];
    }
    list($command, $code, $text) = $mail->client->refused;
    $words = [$mail->ErrorInfo];
    foreach (['error', 'detail'] as $key) {
        if (!empty($error[$key]) && strpos($mail->ErrorInfo, trim($error[$key])) === false) {
            $words[] = trim($error[$key]);
        }
    }
    return ['sent' => false, 'error' => implode('; ', $words), 'code' => $code, 'text' => $text, 'stage' => stage_of($command)];
}

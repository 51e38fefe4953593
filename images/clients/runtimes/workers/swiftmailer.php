<?php
// Swift Mailer as its documentation has it, 5.4 and 6.

foreach (['Swift/swift_required.php', 'Swift/autoload.php', 'swift_required.php'] as $file) {
    if (is_file("/usr/share/php/$file")) {
        require_once "/usr/share/php/$file";
        break;
    }
}

function describe()
{
    $version = class_exists('Swift') && defined('Swift::VERSION') ? Swift::VERSION : '';
    $file = '/usr/share/php/Swift/VERSION';
    $version = is_file($file) ? trim(str_replace('Swift-', '', file_get_contents($file))) : $version;
    $package = trim((string) shell_exec('dpkg-query -W -f \'${Version}\' php-swiftmailer 2>/dev/null'));
    return ['client' => 'swiftmailer', 'version' => 'Swift Mailer ' . ($package ?: $version) . ' on PHP ' . PHP_VERSION, 'offers' => []];
}

/** What it reports of a reply: `Expected response code 250 but got code "535", with message "535 5.7.8 ..."`. */
function find_reply($words)
{
    if (preg_match('/with message "([45]\d\d)[ -](.*?)\s*"/s', $words, $parts)) {
        return ['code' => (int) $parts[1], 'text' => trim($parts[2])];
    }
    return [];
}

function find_stage($words)
{
    return strpos($words, 'Failed to authenticate') !== false ? 'auth' : null;
}

function send($job)
{
    if ($job['lowest'] !== null) {
        throw new Incapable('Swift Mailer names its own method in STARTTLS: it cannot be told what to offer');
    }
    $secure = $job['plaintext'] ? null : ($job['implicit'] ? 'ssl' : 'tls');
    $transport = new Swift_SmtpTransport($job['host'], $job['port'], $secure);
    $transport->setTimeout((int) ceil($job['time_limit']))->setLocalDomain('client.test');
    // Before 5.4.2 it has no stream options: the authority is one of the machine's, as OpenSSL finds them.
    putenv("SSL_CERT_FILE={$job['ca_file']}");
    if ($job['username'] !== null) {
        $transport->setUsername($job['username'])->setPassword($job['password']);
    }
    $message = new Swift_Message($job['subject'], $job['subject'] . "\n");
    $message->setFrom($job['from'])->setTo($job['to']);
    $taken = new Taken();
    $transport->registerPlugin($taken);
    try {
        $mailer = new Swift_Mailer($transport);
        $failed = [];
        if (!$mailer->send($message, $failed)) {
            throw new Exception('no recipient was taken: ' . implode(' ', $taken->refused));
        }
        $transport->stop();
        return ['sent' => true, 'code' => 250, 'text' => trim(preg_replace('/^250 /', '', $taken->last))];
    } catch (Incapable $error) {
        throw $error;
    } catch (Exception $error) {
        $words = $error->getMessage();
        return ['sent' => false, 'error' => $words, 'stage' => find_stage($words)] + find_reply($words) + $taken->describe_refusal();
    }
}

/** Keeps the server's replies. */
class Taken implements Swift_Events_ResponseListener
{
    public $last = '';
    public $refused = [];

    public function responseReceived(Swift_Events_ResponseEvent $event)
    {
        $reply = trim($event->getResponse());
        if (strpos($reply, 'queued as') !== false) {
            $this->last = $reply;
        }
        if (preg_match('/^[45]\d\d/', $reply)) {
            $this->refused[] = $reply;
        }
    }

    public function describe_refusal()
    {
        if ($this->refused && preg_match('/^(\d\d\d)[ -](.*)/s', $this->refused[0], $parts)) {
            return ['code' => (int) $parts[1], 'text' => trim($parts[2])];
        }
        return [];
    }
}

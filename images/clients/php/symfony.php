<?php
// Symfony Mailer, as its documentation has it: a transport of a host, a port and credentials.

require '/usr/share/php/Symfony/Component/Mailer/autoload.php';

use Symfony\Component\Mailer\Exception\TransportExceptionInterface;
use Symfony\Component\Mailer\Mailer;
use Symfony\Component\Mailer\Transport\Smtp\EsmtpTransport;
use Symfony\Component\Mime\Email;

function describe()
{
    $version = trim(shell_exec("dpkg-query -W -f '\${Version}' php-symfony-mailer"));
    return ['client' => 'symfony-mailer', 'library' => "Symfony Mailer $version"];
}

function send($job)
{
    $transport = new EsmtpTransport($job['host'], $job['port'], $job['implicit']);
    $transport->setLocalDomain('client.test');
    $transport->getStream()->setStreamOptions(['ssl' => ssl_options($job)]);
    $transport->getStream()->setTimeout($job['time_limit']);
    if ($job['username'] !== null) {
        $transport->setUsername($job['username']);
        $transport->setPassword($job['password']);
    }
    $email = (new Email())->from($job['from'])->to($job['to'])->subject($job['subject'])->text($job['subject'] . "\n");
    try {
        $sent = $transport->send($email);
    } catch (TransportExceptionInterface $error) {
        return failed($error);
    }
    $found = preg_match('/^< 250 (.*queued as .*)$/m', str_replace("\r", '', $sent->getDebug()), $reply)
        || preg_match('/250 (\S+ Ok: queued as \S+)/', $sent->getDebug(), $reply);
    return ['sent' => true, 'code' => $found ? 250 : null, 'text' => $found ? trim($reply[1]) : null];
}

function failed($error)
{
    $words = trim($error->getMessage());
    $refused = preg_match('/with message "([45]\d\d)[ -]([^"]*)"/', $words, $found);
    return [
        'sent' => false,
        'error' => $words,
        'code' => $refused ? (int) $found[1] : null,
        'text' => $refused ? trim($found[2]) : null,
        'stage' => stripos($words, 'authenticate') !== false ? 'auth' : null,
    ];
}

<?php
// What the shops share: PHPMailer, watched. Runs on PHP 5.6 and later.

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

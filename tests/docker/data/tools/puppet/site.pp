class { 'postfix':
  myorigin      => 'mail.example.test',
  manage_mailx  => false,
  # Without it the module lets smtpd listen on 127.0.0.1 only.
  smtp_listen   => 'all',
}
postfix::config {
  'smtpd_tls_security_level': value => 'may';
  'smtpd_tls_protocols':      value => '!SSLv2, !SSLv3, !TLSv1, !TLSv1.1';
}

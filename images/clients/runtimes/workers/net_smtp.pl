#!/usr/bin/perl
# A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).
# Each job is one message, sent as Net::SMTP's documentation has it; before libnet 3.0 (Perl 5.20), which
# brought starttls, as IO::Socket::SSL's has it for a socket that is already connected.
use strict;
use warnings;
use IO::Socket::SSL;
use JSON::PP;
use Net::SMTP;

my @VERSIONS = qw(SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3);
my $HAS_STARTTLS = Net::SMTP->can('starttls');
# What OpenSSL is called in hexadecimal: 0x1010000f is 1.1.0.
my $OPENSSL = Net::SSLeay::SSLeay();

sub name_of { (my $name = shift) =~ s/\./_/; return $name }

sub can_tell {
    my $version = shift;
    return 1 if $version =~ /^SSL/ || $version eq 'TLSv1';
    return Net::SSLeay->can('TLS1_3_VERSION') && defined eval { Net::SSLeay::TLS1_3_VERSION() } if $version eq 'TLSv1.3';
    return $OPENSSL >= 0x10001000;
}

# IO::Socket::SSL's words for an offer: every version but those that are not in it.
sub tls_options {
    my $job = shift;
    my %options = (SSL_ca_file => $job->{ca_file}, SSL_hostname => $job->{host});
    return (%options, SSL_verifycn_scheme => 'smtp', SSL_verifycn_name => $job->{host}) unless defined $job->{lowest};
    die {incapable => 'this driver chooses no groups for IO::Socket::SSL'} if @{$job->{groups}};
    die {incapable => 'IO::Socket::SSL cannot choose among the ciphers of TLSv1.3 by this list'}
        if grep { /^TLS_/ } @{$job->{ciphers}};
    my %at = map { $VERSIONS[$_] => $_ } 0 .. $#VERSIONS;
    my ($lowest, $highest) = @at{$job->{lowest}, $job->{highest}};
    for (@VERSIONS[$lowest .. $highest]) {
        die {incapable => "this IO::Socket::SSL has no word for $_"} unless can_tell($_);
        die {incapable => "IO::Socket::SSL has no context for SSLv2 with others"} if $_ eq 'SSLv2' && $lowest != $highest;
    }
    my @out = grep { $at{$_} < $lowest || $at{$_} > $highest } grep { can_tell($_) } @VERSIONS;
    my $words = $job->{highest} =~ /^SSL/ && $lowest == $highest ? $job->{lowest} : join ':', 'SSLv23', map { '!' . name_of($_) } @out;
    my $ciphers = @{$job->{ciphers}} ? join(':', @{$job->{ciphers}}) : 'ALL:COMPLEMENTOFALL';
    $ciphers .= ':@SECLEVEL=0' if $OPENSSL >= 0x10100000;
    return (%options, SSL_verify_mode => SSL_VERIFY_NONE, SSL_version => $words, SSL_cipher_list => $ciphers);
}

sub refuse {
    my ($smtp, $result, $stage) = @_;
    my $text = join '', $smtp->message;
    $text =~ s/\s+$//;
    @$result{qw(stage code text)} = ($stage, 0 + $smtp->code, $text) if $smtp->code;
    die {error => $text ne '' ? $smtp->code . " $text" : "no reply: $!"};
}

sub tls_error { return $SSL_ERROR || $@ || "$!" }

# STARTTLS before Net::SMTP had it.
sub start_by_hand {
    my ($smtp, $result, %tls) = @_;
    defined $smtp->supports('STARTTLS', 500, ['no STARTTLS'])
        or die {error => 'the server does not offer STARTTLS'};
    $smtp->command('STARTTLS');
    $smtp->response == 2 or refuse($smtp, $result, 'starttls');
    $result->{stage} = 'handshake';
    IO::Socket::SSL->start_SSL($smtp, %tls, SSL_startHandshake => 1) or die {error => tls_error()};
    # The socket is of another class now; Net::Cmd's commands go through the new one's.
    @Worker::ISA = ('IO::Socket::SSL', 'Net::SMTP');
    bless $smtp, 'Worker';
    $smtp->hello('client.test') or refuse($smtp, $result, 'ehlo');
}

sub connect_client {
    my ($job, $result) = @_;
    my %tls = tls_options($job);
    my %common = (Port => $job->{port}, Hello => 'client.test', Timeout => int($job->{time_limit} + 1));
    $result->{stage} = $job->{implicit} ? 'handshake' : 'banner';
    if ($job->{implicit} && !$HAS_STARTTLS) {
        die {incapable => 'this Net::SMTP has no implicit TLS'};
    }
    my $smtp = Net::SMTP->new($job->{host}, %common, $job->{implicit} ? (SSL => 1, %tls) : ())
        or die {error => tls_error()};
    return $smtp if $job->{implicit} || $job->{plaintext};
    $result->{stage} = 'starttls';
    return start_by_hand($smtp, $result, %tls), $smtp unless $HAS_STARTTLS;
    unless ($smtp->starttls(%tls)) {
        refuse($smtp, $result, 'starttls') if $smtp->code >= 400;
        $result->{stage} = 'handshake';
        die {error => tls_error()};
    }
    return $smtp;
}

sub hold_dialogue {
    my ($job, $result) = @_;
    my $smtp = (connect_client($job, $result))[-1];
    unless ($job->{plaintext}) {
        my $version = $smtp->can('get_sslversion') ? $smtp->get_sslversion : '';
        $version =~ s/_/./;
        $result->{protocol} = $version if $version;
        $result->{cipher} = $smtp->get_cipher;
    }
    if (defined $job->{username}) {
        $result->{stage} = 'auth';
        $smtp->auth($job->{username}, $job->{password}) or refuse($smtp, $result, 'auth');
    }
    $smtp->mail($job->{from}) or refuse($smtp, $result, 'mail');
    $smtp->to($job->{to}) or refuse($smtp, $result, 'rcpt');
    $smtp->data("From: $job->{from}\n", "To: $job->{to}\n", "Subject: $job->{subject}\n", "\n", "$job->{subject}\n")
        or refuse($smtp, $result, 'data');
    my $text = ($smtp->message)[-1];
    $text =~ s/\s+$//;
    @$result{qw(sent code text)} = (JSON::PP::true, 250, $text);
    $smtp->quit;
}

if (($ARGV[0] // '') eq '--describe') {
    print encode_json({
        client => 'Net::SMTP',
        version => sprintf('Net::SMTP %s and IO::Socket::SSL %s on Perl %vd', Net::SMTP->VERSION, IO::Socket::SSL->VERSION, $^V),
        tls_library => 'OpenSSL',
        tls_version => Net::SSLeay::SSLeay_version(0),
        offers => [grep { can_tell($_) } @VERSIONS[2 .. $#VERSIONS]],
    }), "\n";
    exit;
}
$| = 1;
while (my $line = <STDIN>) {
    my %result = (sent => JSON::PP::false);
    my $job = decode_json($line);
    # Each of these is true or false in JSON, and an object here.
    $job->{$_} = !!$job->{$_} for qw(implicit plaintext);
    local $SIG{PIPE} = 'IGNORE';
    unless (eval { hold_dialogue($job, \%result); 1 }) {
        my $why = $@;
        %result = (%result, ref $why ? %$why : (error => "$why"));
        %result = (incapable => $result{incapable}) if defined $result{incapable};
    }
    print encode_json(\%result), "\n";
}

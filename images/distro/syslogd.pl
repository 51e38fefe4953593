#!/usr/bin/perl
# A syslog daemon for a container: takes what is sent to /dev/log, and writes a line a message to
# standard output.
#
# Perl is a part of every suite. Another daemon that can do this is not: the busybox of Debian 8 and
# Ubuntu 16.04 (1.22) cannot write to standard output, and when it is led there by /dev/stdout it loses
# lines as soon as whoever reads them falls behind.
use strict;
use warnings;
use POSIX qw(strftime);
use Socket;

my @facilities = qw(kern user mail daemon auth syslog lpr news uucp cron authpriv ftp
                    ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7);
my @severities = qw(emerg alert crit err warn notice info debug);
my $time = qr/[A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2}/;

# As process 1 it hears no signal that it has no handler for, and inherits others' dead children.
$SIG{TERM} = $SIG{INT} = sub { exit 0 };
$SIG{HUP} = $SIG{CHLD} = 'IGNORE';
$| = 1;

unlink '/dev/log';
socket(my $log, AF_UNIX, SOCK_DGRAM, 0) or die "no socket: $!\n";
bind($log, sockaddr_un('/dev/log')) or die "/dev/log: $!\n";
chmod(0666, '/dev/log') or die "/dev/log: $!\n";
open(my $name, '<', '/proc/sys/kernel/hostname') or die "no host name: $!\n";
chomp(my $host = <$name>);

while (1) {
    defined recv($log, my $message, 65536, 0) or next;
    my $priority = $message =~ s/^<(\d{1,3})>// ? $1 : 13;
    my $when = $message =~ s/^($time) // ? $1 : strftime('%b %e %H:%M:%S', localtime);
    $message =~ s/[\n\0]+\z//;
    $message =~ s/[\x00-\x1f]/ /g;
    my $of = join '.', $facilities[$priority >> 3] || 'user', $severities[$priority & 7];
    print "$when $host $of $message\n";
}

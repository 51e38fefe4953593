#!/usr/bin/ruby
# A worker of the driver's: one JSON job a line in, one answer a line out (common/worker.py).
# Each job is one message, sent as Net::SMTP's documentation has it. Runs on Ruby 1.9 and later.
require 'json'
require 'net/smtp'
require 'openssl'

VERSIONS = %w[SSLv2 SSLv3 TLSv1 TLSv1.1 TLSv1.2 TLSv1.3]
# SSL_OP_NO_..., by number: Ruby 1.9 has no constants for the later ones (openssl/ssl.h).
FORBID = { 'SSLv2' => 0x01000000, 'SSLv3' => 0x02000000, 'TLSv1' => 0x04000000, 'TLSv1.1' => 0x10000000,
           'TLSv1.2' => 0x08000000, 'TLSv1.3' => 0x20000000 }
# The first OpenSSL that has a version.
SINCE = { 'TLSv1.1' => '1.0.1', 'TLSv1.2' => '1.0.1', 'TLSv1.3' => '1.1.1' }
# Of the library that runs, not of the one that Ruby was compiled with: OpenSSL 1.1.0 brought security levels.
LIBRARY = defined?(OpenSSL::OPENSSL_LIBRARY_VERSION) ? OpenSSL::OPENSSL_LIBRARY_VERSION : OpenSSL::OPENSSL_VERSION
NUMBER = LIBRARY[/OpenSSL (\d+\.\d+\.\d+)/, 1]
HAS_LEVELS = NUMBER >= '1.1.0'

class IncapableError < StandardError; end

# Ubuntu's OpenSSL has no SSLv2, and SSLv3 in 14.04 only; an option that leaves them out says nothing of that.
def has_version(version)
  return false if version == 'SSLv2' || (version == 'SSLv3' && NUMBER >= '1.0.2')
  NUMBER >= SINCE.fetch(version, '0')
end

def pinned_context(job)
  context = OpenSSL::SSL::SSLContext.new
  lowest, highest = VERSIONS.index(job['lowest']), VERSIONS.index(job['highest'])
  options = OpenSSL::SSL::OP_ALL | 0x4
  VERSIONS.each_with_index do |version, at|
    inside = at >= lowest && at <= highest
    raise IncapableError, "this Ruby's OpenSSL has no #{version}" if inside && !has_version(version)
    # OpenSSL 1.1 has no SSLv2, and gives its number to nothing.
    options |= FORBID[version] if !inside && !(version == 'SSLv2' && HAS_LEVELS)
  end
  # Without it the library's configuration may set a lowest version.
  context.min_version = lowest < 2 ? OpenSSL::SSL::SSL3_VERSION : OpenSSL::SSL::TLS1_VERSION if context.respond_to?(:min_version=)
  context.options = options
  context.verify_mode = OpenSSL::SSL::VERIFY_NONE
  choose_ciphers(context, job)
  context
end

def choose_ciphers(context, job)
  new, old = job['ciphers'].partition { |name| name.start_with?('TLS_') }
  if !new.empty?
    raise IncapableError, 'this Ruby cannot choose among the ciphers of TLSv1.3' unless context.respond_to?(:ciphersuites=)
    context.ciphersuites = new.join(':')
  end
  context.ciphers = (old.empty? ? 'ALL:COMPLEMENTOFALL' : old.join(':')) + (HAS_LEVELS ? ':@SECLEVEL=0' : '')
  return if job['groups'].empty?
  raise IncapableError, 'this Ruby cannot choose groups' unless context.respond_to?(:ecdh_curves=)
  context.ecdh_curves = job['groups'].join(':')
end

def make_context(job)
  return pinned_context(job) if job['lowest']
  context = Net::SMTP.default_ssl_context
  context.ca_file = job['ca_file']
  context
end

def note_session(smtp, result)
  session = smtp.instance_variable_get(:@socket).io
  return unless session.is_a?(OpenSSL::SSL::SSLSocket)
  result['protocol'] = session.ssl_version if session.respond_to?(:ssl_version)
  result['cipher'], _, result['bits'] = session.cipher
  result['peer_certificate'] = session.peer_cert.to_pem if session.peer_cert
end

def hold_dialogue(job, result)
  smtp = Net::SMTP.new(job['host'], job['port'])
  smtp.open_timeout = smtp.read_timeout = job['time_limit'].ceil
  if job['plaintext']
    smtp.disable_starttls if smtp.respond_to?(:disable_starttls)
  elsif job['implicit']
    # Net::SMTP has STARTTLS or TLS, and from Ruby 3.0 on STARTTLS where the server has it.
    smtp.disable_starttls
    smtp.enable_tls(make_context(job))
  else
    smtp.enable_starttls(make_context(job))
  end
  result['stage'] = job['username'] ? 'auth' : nil
  credentials = job['username'] ? [job['username'], job['password'], :plain] : []
  smtp.start('client.test', *credentials) do
    note_session(smtp, result)
    result['stage'] = 'mail'
    text = "From: #{job['from']}\r\nTo: #{job['to']}\r\nSubject: #{job['subject']}\r\n\r\n#{job['subject']}\r\n"
    reply = smtp.send_message(text, job['from'], job['to'])
    result.update('sent' => true, 'code' => 250, 'text' => reply.string.strip.sub(/\A250 /, ''))
  end
end

def answer(job)
  result = { 'sent' => false }
  begin
    hold_dialogue(job, result)
  rescue IncapableError => error
    return { 'incapable' => error.message }
  rescue StandardError, Timeout::Error => error
    message = error.message.strip
    result['error'] = "#{error.class}: #{message}"
    if !result['sent'] && (found = message.match(/(?:\A|\s)([45]\d\d)[ -](.*)/m))
      result['code'], result['text'] = found[1].to_i, found[2].strip
    end
    result['stage'] = nil unless result['code'] && result['stage'] == 'auth'
  end
  result
end

if ARGV == ['--describe']
  puts JSON.generate('client' => 'Net::SMTP', 'version' => "Ruby #{RUBY_VERSION}", 'tls_library' => 'OpenSSL',
                     'tls_version' => LIBRARY, 'offers' => VERSIONS.select { |version| has_version(version) })
  exit
end
$stdout.sync = true
while (line = $stdin.gets)
  puts JSON.generate(answer(JSON.parse(line)))
end

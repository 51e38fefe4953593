// A worker of the driver's: one job a line in, one answer a line out (common/worker.py), each a flat
// JSON object. Each job is one message, sent as JavaMail's documentation has it. Runs on Java 8 and later.

import java.io.BufferedReader;
import java.io.FileInputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.mail.AuthenticationFailedException;
import javax.mail.Message;
import javax.mail.MessagingException;
import javax.mail.Session;
import javax.mail.internet.InternetAddress;
import javax.mail.internet.MimeMessage;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

public class Worker {
    // Possessive, so that a long list of suites takes no stack.
    private static final Pattern PAIR =
        Pattern.compile("\"(\\w+)\":\\s*(?:\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"|(null|true|false|[-0-9.]+))");
    private static final Pattern REPLY = Pattern.compile("\\b([45]\\d\\d)[ -](\\d\\.\\d+\\.\\d+ [^\\r\\n;]*)");

    private static final class TrustAll implements X509TrustManager {
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }

    private static SSLSocketFactory trusting(String caFile) throws Exception {
        TrustManager[] managers = {new TrustAll()};
        if (caFile != null) {
            KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
            store.load(null, null);
            try (FileInputStream file = new FileInputStream(caFile)) {
                store.setCertificateEntry("ca", CertificateFactory.getInstance("X.509").generateCertificate(file));
            }
            TrustManagerFactory factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
            factory.init(store);
            managers = factory.getTrustManagers();
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, managers, null);
        return context.getSocketFactory();
    }

    private static Properties settings(Map<String, String> job) throws Exception {
        String name = job.get("implicit").equals("true") ? "smtps" : "smtp";
        String prefix = "mail." + name + ".";
        Properties set = new Properties();
        set.put("mail.transport.protocol", name);
        set.put("mail.transport.protocol.rfc822", name);
        set.put(prefix + "host", job.get("host"));
        set.put(prefix + "port", job.get("port"));
        set.put(prefix + "localhost", "client.test");
        set.put(prefix + "starttls.enable", "true");
        String pinned = job.get("protocols");
        if (pinned != null) {
            set.put(prefix + "starttls.required", "true");
            set.put(prefix + "ssl.protocols", pinned);
            set.put(prefix + "ssl.ciphersuites", job.get("suites"));
            set.put(prefix + "ssl.checkserveridentity", "false");
        }
        set.put(prefix + "ssl.socketFactory", trusting(pinned == null ? job.get("ca_file") : null));
        set.put(prefix + "auth", String.valueOf(job.get("username") != null));
        return set;
    }

    private static void answer(Map<String, String> job, Map<String, Object> told) throws Exception {
        Session session = Session.getInstance(settings(job));
        MimeMessage message = new MimeMessage(session);
        message.setFrom(new InternetAddress(job.get("from")));
        message.setRecipient(Message.RecipientType.TO, new InternetAddress(job.get("to")));
        message.setSubject(job.get("subject"));
        message.setText(job.get("subject") + "\n");
        message.saveChanges();
        com.sun.mail.smtp.SMTPTransport transport = (com.sun.mail.smtp.SMTPTransport) session.getTransport();
        try {
            transport.connect(job.get("username"), job.get("password"));
            transport.sendMessage(message, message.getAllRecipients());
            told.put("sent", true);
            told.put("code", 250);
            told.put("text", transport.getLastServerResponse().trim().replaceFirst("^250 ", ""));
        } finally {
            transport.close();
        }
    }

    private static void failed(Throwable thrown, Map<String, Object> told) {
        StringBuilder words = new StringBuilder();
        String stage = thrown instanceof AuthenticationFailedException ? "auth" : null;
        for (Throwable one = thrown; one != null; one = next(one)) {
            words.append(words.length() == 0 ? "" : "; from ").append(one);
            String kind = one.getClass().getSimpleName();
            stage = kind.startsWith("SMTPAddressFailed") ? "rcpt" : kind.startsWith("SMTPSenderFailed") ? "mail" : stage;
        }
        told.put("error", words.toString().trim());
        told.put("stage", stage);
        Matcher reply = REPLY.matcher(words);
        if (reply.find()) {
            told.put("code", Integer.valueOf(reply.group(1)));
            told.put("text", reply.group(2).trim());
        }
    }

    private static Throwable next(Throwable one) {
        Throwable further = one instanceof MessagingException ? ((MessagingException) one).getNextException() : null;
        return further != null ? further : one.getCause();
    }

    private static Map<String, String> parse(String line) {
        Map<String, String> job = new HashMap<>();
        Matcher pair = PAIR.matcher(line);
        while (pair.find()) {
            String word = pair.group(3);
            String value = word == null ? pair.group(2).replaceAll("\\\\(.)", "$1") : word;
            job.put(pair.group(1), "null".equals(word) ? null : value);
        }
        return job;
    }

    private static String json(Map<String, Object> told) {
        StringBuilder out = new StringBuilder("{");
        for (Map.Entry<String, Object> one : told.entrySet()) {
            Object value = one.getValue();
            out.append(out.length() == 1 ? "" : ",").append('"').append(one.getKey()).append("\":");
            out.append(value instanceof String ? quoted((String) value) : String.valueOf(value));
        }
        return out.append('}').toString();
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char letter : text.toCharArray()) {
            if (letter == '"' || letter == '\\') {
                out.append('\\').append(letter);
            } else if (letter < 32) {
                out.append(String.format("\\u%04x", (int) letter));
            } else {
                out.append(letter);
            }
        }
        return out.append('"').toString();
    }

    public static void main(String[] words) throws Exception {
        PrintStream out = new PrintStream(System.out, true, "UTF-8");
        if (words.length > 0) {
            String[] suites = SSLContext.getDefault().getSupportedSSLParameters().getCipherSuites();
            Map<String, Object> told = new HashMap<>();
            told.put("java", System.getProperty("java.version"));
            told.put("protocols", String.join(" ", SSLContext.getDefault().getSupportedSSLParameters().getProtocols()));
            told.put("suites", String.join(" ", suites));
            told.put("mail", String.valueOf(Session.class.getPackage().getImplementationVersion()));
            out.println(json(told));
            return;
        }
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            Map<String, Object> told = new HashMap<>();
            told.put("sent", false);
            try {
                Map<String, String> job = parse(line);
                if (!job.containsKey("warm")) {
                    answer(job, told);
                }
            } catch (Exception | LinkageError thrown) {
                failed(thrown, told);
            }
            out.println(json(told));
        }
    }
}

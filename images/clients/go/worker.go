// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// Each job is one message, sent as smtp.SendMail does it: TLS where the server announces STARTTLS.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io/ioutil"
	"net"
	"net/smtp"
	"net/textproto"
	"os"
	"runtime"
	"time"
)

type job struct {
	Host      string   `json:"host"`
	Port      int      `json:"port"`
	Implicit  bool     `json:"implicit"`
	Lowest    string   `json:"lowest"`
	Highest   string   `json:"highest"`
	Ciphers   []uint16 `json:"suites"`
	Groups    []uint16 `json:"curves"`
	CAFile    string   `json:"ca_file"`
	Username  string   `json:"username"`
	Password  string   `json:"password"`
	From      string   `json:"from"`
	To        string   `json:"to"`
	Subject   string   `json:"subject"`
	TimeLimit float64  `json:"time_limit"`
	Name      *string  `json:"sni"`
	Chain     string   `json:"certificate"`
	Key       string   `json:"key"`
}

type answer map[string]interface{}

var versions = map[string]uint16{
	"SSLv3":   0x0300,
	"TLSv1":   tls.VersionTLS10,
	"TLSv1.1": tls.VersionTLS11,
	"TLSv1.2": tls.VersionTLS12,
	"TLSv1.3": tls.VersionTLS13,
}

// Without a name to send, crypto/tls must not check one either.
func config(j job) (*tls.Config, error) {
	made, err := versioned(j)
	if err != nil {
		return nil, err
	}
	if j.Name == nil {
		made.ServerName, made.InsecureSkipVerify = "", true
	} else {
		made.ServerName = *j.Name
	}
	if j.Chain != "" {
		pair, err := tls.LoadX509KeyPair(j.Chain, j.Key)
		if err != nil {
			return nil, err
		}
		made.Certificates = []tls.Certificate{pair}
	}
	return made, nil
}

func versioned(j job) (*tls.Config, error) {
	if j.Lowest == "" {
		roots := x509.NewCertPool()
		text, err := ioutil.ReadFile(j.CAFile)
		if err != nil {
			return nil, err
		}
		roots.AppendCertsFromPEM(text)
		return &tls.Config{ServerName: j.Host, RootCAs: roots}, nil
	}
	made := &tls.Config{ServerName: j.Host, InsecureSkipVerify: true}
	made.MinVersion, made.MaxVersion = versions[j.Lowest], versions[j.Highest]
	made.CipherSuites = j.Ciphers
	if len(made.CipherSuites) == 0 {
		for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			made.CipherSuites = append(made.CipherSuites, suite.ID)
		}
	}
	for _, group := range j.Groups {
		made.CurvePreferences = append(made.CurvePreferences, tls.CurveID(group))
	}
	return made, nil
}

// The connection keeps what the server said last, which net/smtp does not hand out.
func send(j job, told answer) error {
	chosen, err := config(j)
	if err != nil {
		return err
	}
	address := fmt.Sprintf("%s:%d", j.Host, j.Port)
	told["stage"] = "banner"
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Duration(j.TimeLimit * float64(time.Second))))
	if j.Implicit {
		told["stage"] = "handshake"
		wrapped := tls.Client(conn, chosen)
		if err := wrapped.Handshake(); err != nil {
			return err
		}
		conn = wrapped
		told["stage"] = "banner"
	}
	client, err := smtp.NewClient(conn, j.Host)
	if err != nil {
		return err
	}
	told["stage"] = "ehlo"
	if err := client.Hello("client.test"); err != nil {
		return err
	}
	announced, _ := client.Extension("STARTTLS")
	if !j.Implicit && (announced || j.Lowest != "") {
		told["stage"] = "starttls"
		if err := client.StartTLS(chosen); err != nil {
			return err
		}
	}
	if j.Username != "" {
		told["stage"] = "auth"
		if err := client.Auth(smtp.PlainAuth("", j.Username, j.Password, j.Host)); err != nil {
			return err
		}
	}
	told["stage"] = "mail"
	if err := client.Mail(j.From); err != nil {
		return err
	}
	told["stage"] = "rcpt"
	if err := client.Rcpt(j.To); err != nil {
		return err
	}
	told["stage"] = "data"
	code, text, err := deliver(client.Text, j)
	if err != nil {
		return err
	}
	told["sent"], told["code"], told["text"] = true, code, text
	return client.Quit()
}

func deliver(text *textproto.Conn, j job) (int, string, error) {
	if err := text.PrintfLine("DATA"); err != nil {
		return 0, "", err
	}
	if _, _, err := text.ReadResponse(354); err != nil {
		return 0, "", err
	}
	body := text.DotWriter()
	fmt.Fprintf(body, "From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n%s\r\n", j.From, j.To, j.Subject, j.Subject)
	if err := body.Close(); err != nil {
		return 0, "", err
	}
	return text.ReadResponse(250)
}

func main() {
	out := json.NewEncoder(os.Stdout)
	if len(os.Args) > 1 {
		out.Encode(answer{"go": runtime.Version()})
		return
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<16), 1<<20)
	for in.Scan() {
		told := answer{"sent": false}
		var j job
		err := json.Unmarshal(in.Bytes(), &j)
		if err == nil {
			err = send(j, told)
		}
		if err != nil && told["sent"] == false {
			told["error"] = err.Error()
			if reply, ok := err.(*textproto.Error); ok {
				told["code"], told["text"] = reply.Code, reply.Msg
			}
		}
		out.Encode(told)
	}
}

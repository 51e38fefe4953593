// A worker of the driver's: one JSON job a line in, one JSON answer a line out (common/worker.py).
// Each job is one message, sent as SmtpClient's documentation has it.

using System;
using System.Collections.Generic;
using System.Net;
using System.Net.Mail;
using System.Text.RegularExpressions;
using System.Web.Script.Serialization;

class Worker
{
    static readonly JavaScriptSerializer Json = new JavaScriptSerializer();

    static void Send(Dictionary<string, object> job)
    {
        using (var client = new SmtpClient((string)job["host"], Convert.ToInt32(job["port"])))
        {
            client.EnableSsl = true;
            client.Timeout = (int)(1000 * Convert.ToDouble(job["time_limit"]));
            if (job["username"] != null)
                client.Credentials = new NetworkCredential((string)job["username"], (string)job["password"]);
            var subject = (string)job["subject"];
            client.Send(new MailMessage((string)job["from"], (string)job["to"], subject, subject + "\n"));
        }
    }

    static void Failed(Exception thrown, Dictionary<string, object> told)
    {
        var words = new List<string>();
        for (var one = thrown; one != null; one = one.InnerException)
            words.Add(one.GetType().Name + ": " + one.Message.Trim());
        told["error"] = string.Join("; from ", words);
        var smtp = thrown as SmtpException;
        var reply = Regex.Match(thrown.Message, @"(\d\.\d+\.\d+ .*)");
        if (smtp != null && (int)smtp.StatusCode > 400 && reply.Success)
        {
            told["code"] = (int)smtp.StatusCode;
            told["text"] = reply.Groups[1].Value.Trim();
        }
    }

    static void Main(string[] words)
    {
        if (words.Length > 0)
        {
            var type = Type.GetType("Mono.Runtime");
            var name = type.GetMethod("GetDisplayName", System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Static);
            Console.WriteLine(Json.Serialize(new Dictionary<string, object> { { "mono", name.Invoke(null, null) } }));
            return;
        }
        for (var line = Console.ReadLine(); line != null; line = Console.ReadLine())
        {
            var job = Json.Deserialize<Dictionary<string, object>>(line);
            var told = new Dictionary<string, object> { { "sent", false } };
            try
            {
                Send(job);
                told["sent"] = true;
            }
            catch (Exception thrown)
            {
                Failed(thrown, told);
            }
            Console.WriteLine(Json.Serialize(told));
        }
    }
}

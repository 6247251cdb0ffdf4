using System;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Text.RegularExpressions;
using System.Threading;

namespace Tiltyard.Tests
{
    /// <summary>A server of the test's own, on its own data.</summary>
    internal sealed class Server : IDisposable
    {
        /// <summary>Far more than any step takes, for machines that have much else to do.</summary>
        public const int WaitMs = 60000;

        /// <summary>
        /// The server's program; <c>null</c>: there is none, and the tests that need one are left out.
        /// </summary>
        public static string Binary;

        private readonly string data = Path.Combine(Path.GetTempPath(), "tiltyard-" + Guid.NewGuid().ToString("N"));
        private Process process;

        public Server()
        {
            Start("127.0.0.1:0");
        }

        public string Url { get; private set; }

        /// <summary>A token of the server's own key.</summary>
        public string Token(string options)
        {
            var start = new ProcessStartInfo(Binary, "token --data " + data + " " + options)
            {
                UseShellExecute = false, RedirectStandardOutput = true,
            };
            using (var tool = Process.Start(start))
            {
                var token = tool.StandardOutput.ReadToEnd().Trim();
                tool.WaitForExit();
                return token;
            }
        }

        /// <summary>Kills it, and has it gone when this returns.</summary>
        public void Kill()
        {
            if (!process.HasExited)
            {
                process.Kill();
                process.WaitForExit();
            }
        }

        /// <summary>Starts it again where it was.</summary>
        public void Restart()
        {
            Start(new Uri(Url).Authority);
        }

        public void Dispose()
        {
            Kill();
            if (Directory.Exists(data)) Directory.Delete(data, true);
        }

        private void Start(string address)
        {
            var start = new ProcessStartInfo(Binary, "--listen " + address + " --data " + data)
            {
                UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true,
            };
            var log = new StringBuilder();
            var listens = new ManualResetEvent(false);
            process = new Process { StartInfo = start, EnableRaisingEvents = true };
            process.Exited += (_, ended) => listens.Set();
            process.ErrorDataReceived += (_, line) =>
            {
                lock (log) log.AppendLine(line.Data);
            };
            process.OutputDataReceived += (_, line) =>
            {
                var found = Regex.Match(line.Data ?? "", @"listening on (http://\S+)");
                if (found.Success)
                {
                    Url = found.Groups[1].Value;
                    listens.Set();
                }
            };
            process.Start();
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
            if (!listens.WaitOne(WaitMs) || process.HasExited)
            {
                Kill();
                lock (log) throw new Wrong("the server did not start: " + log);
            }
        }
    }
}

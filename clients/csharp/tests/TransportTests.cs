using System;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Tiltyard.Tests
{
    /// <summary>The transport over .NET's WebSocket, against bytes that a test writes by hand.</summary>
    internal static class TransportTests
    {
        private const int Text = 1;
        private const int Binary = 2;
        private const int Closing = 8;
        private const int Ping = 9;
        private const int Pong = 10;

        /// <summary>The other side of one connection.</summary>
        private sealed class Peer : IDisposable
        {
            private readonly TcpListener listener = new TcpListener(IPAddress.Loopback, 0);
            private Socket socket;
            private Stream stream;

            public readonly ClientWebSocketTransport Transport = new ClientWebSocketTransport();

            public Peer(bool answers = true)
            {
                listener.Start();
                Transport.Open(new Uri("ws://" + listener.LocalEndpoint + "/ws"), "tiltyard.v2.json");
                socket = listener.AcceptSocket();
                socket.ReceiveTimeout = socket.SendTimeout = Server.WaitMs;
                stream = new NetworkStream(socket, true);
                if (answers)
                {
                    Upgrade();
                    Until("to be open", () => Transport.State == TransportState.Open);
                }
            }

            public void Dispose()
            {
                Transport.Close(1000);
                stream.Dispose();
                listener.Stop();
            }

            private void Upgrade()
            {
                var head = "";
                while (!head.EndsWith("\r\n\r\n")) head += (char)stream.ReadByte();
                var key = head.Split('\n').First(line => line.StartsWith("Sec-WebSocket-Key:", StringComparison.OrdinalIgnoreCase)).Substring(18).Trim();
                var accept = SHA1.Create().ComputeHash(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"));
                var answer = Encoding.ASCII.GetBytes("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    + "Sec-WebSocket-Protocol: tiltyard.v2.json\r\nSec-WebSocket-Accept: " + Convert.ToBase64String(accept) + "\r\n\r\n");
                stream.Write(answer, 0, answer.Length);
            }

            public void Say(int opcode, byte[] payload, bool last = true)
            {
                var head = payload.Length < 126
                    ? new[] { (byte)((last ? 0x80 : 0) | opcode), (byte)payload.Length }
                    : new byte[] { (byte)((last ? 0x80 : 0) | opcode), 127, 0, 0, 0, 0, 0, 0, 0, 0 };
                for (var place = 0; head.Length == 10 && place < 8; place += 1) head[9 - place] = (byte)(payload.LongLength >> 8 * place);
                var frame = head.Concat(payload).ToArray();
                stream.Write(frame, 0, frame.Length);
            }

            /// <summary>The client's next frame, which is a short one: its opcode and its payload.</summary>
            public byte[] Hear(out int opcode)
            {
                var head = Take(2);
                opcode = head[0] & 15;
                Check.That((head[1] & 0x80) != 0, "a client masks what it says");
                var mask = Take(4);
                return Take(head[1] & 127).Select((letter, place) => (byte)(letter ^ mask[place % 4])).ToArray();
            }

            private byte[] Take(int count)
            {
                var bytes = new byte[count];
                for (var place = 0; place < count;)
                {
                    var read = stream.Read(bytes, place, count - place);
                    Check.That(read > 0, "the client says something");
                    place += read;
                }
                return bytes;
            }

            public void Hangup()
            {
                socket.Close();
            }

            public byte[] Received()
            {
                var frame = new Frame();
                Until("a message", () => Transport.Receive(out frame));
                return frame.Payload.ToArray();
            }
        }

        private static void Until(string what, Func<bool> done)
        {
            var watch = Stopwatch.StartNew();
            while (!done())
            {
                Check.That(watch.ElapsedMilliseconds < Server.WaitMs, "waited for: " + what);
                Thread.Sleep(1);
            }
        }

        [Test]
        private static void FragmentsAreOneMessageAndPingsAreAnswered()
        {
            using (var peer = new Peer())
            {
                Check.Same("tiltyard.v2.json", peer.Transport.Subprotocol, "the subprotocol");
                peer.Say(Text, Encoding.UTF8.GetBytes("{\"t\":"), false);
                peer.Say(Ping, new byte[] { 1, 2 });
                peer.Say(0, Encoding.UTF8.GetBytes("1}"));
                Check.Same("{\"t\":1}", Encoding.UTF8.GetString(peer.Received()), "the message");
                int opcode;
                Check.That(peer.Hear(out opcode).SequenceEqual(new byte[] { 1, 2 }) && opcode == Pong, "the pong");
                peer.Transport.Send(new ArraySegment<byte>(new byte[] { 0, 5, 6, 0 }, 1, 2), false);
                peer.Transport.Send(new ArraySegment<byte>(new byte[] { 65 }), true);
                Check.That(peer.Hear(out opcode).SequenceEqual(new byte[] { 5, 6 }) && opcode == Binary, "the first frame");
                Check.That(peer.Hear(out opcode).SequenceEqual(new byte[] { 65 }) && opcode == Text, "the second frame");
            }
        }

        [Test]
        private static void WhatItWasClosedWithIsToldAfterWhatCameBefore()
        {
            using (var peer = new Peer())
            {
                peer.Say(Text, new byte[] { 65 });
                peer.Say(Closing, new byte[] { 4409 >> 8, 4409 & 255 });
                Until("the end", () => peer.Transport.State == TransportState.Closed);
                Check.Same(4409, peer.Transport.CloseCode, "the code");
                Check.That(peer.Received().SequenceEqual(new byte[] { 65 }), "what came before");
                int opcode;
                peer.Hear(out opcode);
                Check.Same(Closing, opcode, "a close is answered");
            }
        }

        [Test]
        private static void ALossIsALoss()
        {
            using (var peer = new Peer())
            {
                peer.Hangup();
                Until("the end", () => peer.Transport.State == TransportState.Closed);
                Check.Same(1006, peer.Transport.CloseCode, "the code");
                peer.Transport.Send(new ArraySegment<byte>(new byte[1]), true);
            }
        }

        [Test]
        private static void WhatIsSentIsSentBeforeItCloses()
        {
            using (var peer = new Peer())
            {
                peer.Transport.Send(new ArraySegment<byte>(new byte[] { 65 }), true);
                peer.Transport.Close(1000);
                int opcode;
                Check.That(peer.Hear(out opcode).SequenceEqual(new byte[] { 65 }), "what was said");
                Check.That(peer.Hear(out opcode).SequenceEqual(new byte[] { 1000 >> 8, 1000 & 255 }) && opcode == Closing, "then the close");
                // The peer does not answer it: it ends all the same.
                Until("the end", () => peer.Transport.State == TransportState.Closed);
            }
        }

        [Test]
        private static void AConnectionThatIsNotAnsweredCanBeGivenUp()
        {
            using (var peer = new Peer(false))
            {
                peer.Transport.Close(1000);
                Until("the end", () => peer.Transport.State == TransportState.Closed);
            }
        }

        [Test]
        private static void AMessageWithoutEndEndsTheConnection()
        {
            using (var peer = new Peer())
            {
                var sending = Task.Run(() =>
                {
                    for (var part = 0; part < 20; part += 1) peer.Say(part == 0 ? Text : 0, new byte[1 << 16], false);
                });
                Until("the end", () => peer.Transport.State == TransportState.Closed);
                Check.Same(1009, peer.Transport.CloseCode, "the code");
                sending.ContinueWith(_ => _.Exception).Wait();
            }
        }

        [Test]
        private static void WhatTheLoopDoesNotTakeIsNotReadWithoutBound()
        {
            const int Messages = 512;
            using (var peer = new Peer())
            {
                var sending = Task.Run(() =>
                {
                    for (var number = 0; number < Messages; number += 1)
                    {
                        var message = new byte[1 << 16];
                        message[0] = (byte)number;
                        peer.Say(Binary, message);
                    }
                });
                Until("much to wait", () => peer.Transport.WaitingBytes > 1 << 20);
                Thread.Sleep(100);
                Check.That(peer.Transport.WaitingBytes <= (1 << 20) + (1 << 16), peer.Transport.WaitingBytes + " bytes wait");
                for (var number = 0; number < Messages; number += 1) Check.Same((byte)number, peer.Received()[0], "the order");
                sending.Wait();
            }
        }
    }
}

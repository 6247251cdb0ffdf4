using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Threading;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>A transport over .NET's own WebSocket, as .NET, Mono and Unity have it (not in a browser).</summary>
    public sealed class ClientWebSocketTransport : ITransport
    {
        /// <summary>Far more than the server sends in one: one that is longer ends the connection with 1009.</summary>
        private const int MessageMax = 1 << 20;
        /// <summary>
        /// While so many bytes wait for the game's loop nothing more is read, and the server leaves deltas out.
        /// </summary>
        private const int WaitingMax = 1 << 20;
        /// <summary>While so many bytes cannot be sent the connection is as good as lost.</summary>
        private const int UnsentMax = 1 << 18;
        private const int ClosingMs = 3000;

        private readonly ClientWebSocket socket = new ClientWebSocket();
        private readonly CancellationTokenSource ending = new CancellationTokenSource();
        private readonly object mutex = new object();
        private readonly Queue<Arrived> arrived = new Queue<Arrived>();
        private readonly Queue<Outgoing> unsent = new Queue<Outgoing>();
        private readonly SemaphoreSlim room = new SemaphoreSlim(0);
        private Task life = Task.CompletedTask;
        private Task sent = Task.CompletedTask;
        private TransportState state;
        private int closeCode = CloseCodes.Lost;
        private int waitingBytes;
        private int unsentBytes;
        private bool sending;
        private bool noRoom;
        private int? closing;

        private struct Arrived
        {
            public byte[] Bytes;
            public bool Text;
            public long At;
        }

        private struct Outgoing
        {
            public byte[] Bytes;
            public bool Text;
        }

        /// <summary>For certificates, proxies and headers, before it is opened.</summary>
        public ClientWebSocketOptions Options { get { return socket.Options; } }

        /// <inheritdoc/>
        public TransportState State
        {
            get { lock (mutex) return state; }
        }

        /// <inheritdoc/>
        public string Subprotocol { get { return socket.SubProtocol; } }

        /// <inheritdoc/>
        public int CloseCode
        {
            get { lock (mutex) return closeCode; }
        }

        /// <summary>How much has come and is not received.</summary>
        internal int WaitingBytes
        {
            get { lock (mutex) return waitingBytes; }
        }

        /// <inheritdoc/>
        public void Open(Uri url, string subprotocol)
        {
            socket.Options.AddSubProtocol(subprotocol);
            // The client has pings of its own.
            socket.Options.KeepAliveInterval = Timeout.InfiniteTimeSpan;
            life = Task.Run(() => Live(url));
        }

        /// <inheritdoc/>
        public void Send(ArraySegment<byte> payload, bool text)
        {
            var bytes = new byte[payload.Count];
            Buffer.BlockCopy(payload.Array, payload.Offset, bytes, 0, payload.Count);
            var stuck = false;
            lock (mutex)
            {
                if (closing.HasValue || state != TransportState.Open)
                {
                    return;
                }
                unsent.Enqueue(new Outgoing { Bytes = bytes, Text = text });
                unsentBytes += bytes.Length;
                stuck = unsentBytes > UnsentMax;
            }
            if (stuck)
            {
                ending.Cancel();
            }
            Pump();
        }

        /// <inheritdoc/>
        public bool Receive(out Frame frame)
        {
            lock (mutex)
            {
                if (arrived.Count == 0)
                {
                    frame = new Frame();
                    return false;
                }
                var next = arrived.Dequeue();
                waitingBytes -= next.Bytes.Length;
                if (noRoom && waitingBytes <= WaitingMax)
                {
                    noRoom = false;
                    room.Release();
                }
                var age = (Stopwatch.GetTimestamp() - next.At) * 1000.0 / Stopwatch.Frequency;
                frame = new Frame(new ArraySegment<byte>(next.Bytes), next.Text, age);
                return true;
            }
        }

        /// <inheritdoc/>
        public void Close(int code)
        {
            bool connecting;
            lock (mutex)
            {
                if (closing.HasValue)
                {
                    return;
                }
                closing = code;
                if (noRoom)
                {
                    noRoom = false;
                    room.Release();
                }
                connecting = state == TransportState.Connecting;
            }
            // Not by a timer: Mono may fall over one that is set just before the program ends.
            var over = life;
            Task.Run(() =>
            {
                if (connecting || !over.Wait(ClosingMs))
                {
                    ending.Cancel();
                }
            });
            Pump();
        }

        /// <summary>All of its life, but for what it sends.</summary>
        private async Task Live(Uri url)
        {
            var code = CloseCodes.Lost;
            var connecting = Task.CompletedTask;
            try
            {
                connecting = socket.ConnectAsync(url, ending.Token);
                // Mono does not give up a handshake for which the server has nothing to say: it is not waited for.
                await Task.WhenAny(connecting, Task.Delay(Timeout.Infinite, ending.Token)).ConfigureAwait(false);
                ending.Token.ThrowIfCancellationRequested();
                await connecting.ConfigureAwait(false);
                lock (mutex) state = TransportState.Open;
                code = await Read().ConfigureAwait(false);
            }
            catch (Exception)
            {
                // Lost in one way or another; which it was is nothing that a player can do anything about.
            }
            Task rest;
            lock (mutex)
            {
                closeCode = code;
                state = TransportState.Closed;
                rest = sent;
            }
            if (code == CloseCodes.Lost)
            {
                ending.Cancel();
            }
            await Task.WhenAll(rest, connecting.ContinueWith(task => task.Exception)).ConfigureAwait(false);
            socket.Dispose();
        }

        /// <summary>Reads until the other side closes, and tells with what.</summary>
        private async Task<int> Read()
        {
            var buffer = new byte[16384];
            var length = 0;
            while (true)
            {
                var free = new ArraySegment<byte>(buffer, length, buffer.Length - length);
                var part = await socket.ReceiveAsync(free, ending.Token).ConfigureAwait(false);
                if (part.MessageType == WebSocketMessageType.Close)
                {
                    Close(CloseCodes.Normal);
                    return part.CloseStatus.HasValue ? (int)part.CloseStatus.Value : 1005;
                }
                length += part.Count;
                if (part.EndOfMessage)
                {
                    var bytes = new byte[length];
                    Buffer.BlockCopy(buffer, 0, bytes, 0, length);
                    length = 0;
                    var text = part.MessageType == WebSocketMessageType.Text;
                    await Keep(new Arrived { Bytes = bytes, Text = text, At = Stopwatch.GetTimestamp() }).ConfigureAwait(false);
                }
                else if (length == buffer.Length)
                {
                    if (length >= MessageMax)
                    {
                        Close(1009);
                        return 1009;
                    }
                    Array.Resize(ref buffer, length * 2);
                }
            }
        }

        private Task Keep(Arrived message)
        {
            lock (mutex)
            {
                if (closing.HasValue)
                {
                    return Task.CompletedTask;
                }
                arrived.Enqueue(message);
                waitingBytes += message.Bytes.Length;
                noRoom = waitingBytes > WaitingMax;
                return noRoom ? room.WaitAsync(ending.Token) : Task.CompletedTask;
            }
        }

        /// <summary>Sends what waits, one after the other as .NET wants it, unless that is going on already.</summary>
        private void Pump()
        {
            lock (mutex)
            {
                if (sending || state == TransportState.Connecting)
                {
                    return;
                }
                sending = true;
                sent = Task.Run(SendAll);
            }
        }

        private async Task SendAll()
        {
            try
            {
                while (true)
                {
                    Outgoing next;
                    lock (mutex)
                    {
                        if (unsent.Count == 0 && !closing.HasValue)
                        {
                            sending = false;
                            return;
                        }
                        next = unsent.Count > 0 ? unsent.Dequeue() : new Outgoing();
                    }
                    if (next.Bytes == null)
                    {
                        await socket.CloseOutputAsync((WebSocketCloseStatus)closing.Value, "", ending.Token).ConfigureAwait(false);
                        return;
                    }
                    var type = next.Text ? WebSocketMessageType.Text : WebSocketMessageType.Binary;
                    await socket.SendAsync(new ArraySegment<byte>(next.Bytes), type, true, ending.Token).ConfigureAwait(false);
                    lock (mutex) unsentBytes -= next.Bytes.Length;
                }
            }
            catch (Exception)
            {
                // What reads finds out that it is lost.
                ending.Cancel();
            }
        }
    }
}

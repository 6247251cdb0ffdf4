using System;

namespace Tiltyard
{
    /// <summary>
    /// One WebSocket. It may work in threads of its own, but is asked from the game's loop alone and calls nobody: what has come is
    /// kept until it is asked for.
    /// </summary>
    public interface ITransport
    {
        /// <summary>Begins to connect, and returns at once.</summary>
        void Open(Uri url, string subprotocol);

        TransportState State { get; }

        /// <summary>What the server has chosen, once it is open.</summary>
        string Subprotocol { get; }

        /// <summary>
        /// What it was closed with, once it is closed: 1005 without a code, 1006 where it was lost or never open.
        /// </summary>
        int CloseCode { get; }

        /// <summary>
        /// Sends a frame, whose bytes are copied, after those before it; returns at once. Does nothing once it is
        /// closed.
        /// </summary>
        void Send(ArraySegment<byte> payload, bool text);

        /// <summary>
        /// The next message that has come; <c>false</c> where there is none. Its bytes are good until the next call.
        /// </summary>
        bool Receive(out Frame frame);

        /// <summary>Closes it once all is sent, and lets go of everything, in bounded time; returns at once.</summary>
        void Close(int code);
    }

    /// <summary>How far a transport is. What had come before it closed can still be received.</summary>
    public enum TransportState { Connecting, Open, Closed }

    /// <summary>A message as it came.</summary>
    public struct Frame
    {
        public Frame(ArraySegment<byte> payload, bool text, double ageMs)
        {
            Payload = payload;
            Text = text;
            AgeMs = ageMs;
        }

        public ArraySegment<byte> Payload { get; private set; }

        /// <summary>Whether it was a text frame.</summary>
        public bool Text { get; private set; }

        /// <summary>
        /// How many milliseconds ago it came: a game's loop looks late, and the server's time is known by when it came.
        /// </summary>
        public double AgeMs { get; private set; }
    }
}

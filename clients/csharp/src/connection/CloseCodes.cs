using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>What a client does after a connection has ended: whether it comes back, and when.</summary>
    public static class CloseCodes
    {
        /// <summary>Ended without a code, or with none that the network let through.</summary>
        public const int Lost = 1006;
        internal const int Normal = 1000;
        internal const int OtherProtocol = 1002;
        internal const int Unauthorized = 4401;
        internal const int Forbidden = 4403;
        internal const int NoSession = 4404;
        internal const int Replaced = 4409;
        internal const int Ended = 4410;
        internal const int TooSlow = 4413;
        internal const int Expired = 4419;
        internal const int Flooded = 4429;

        /// <summary>
        /// Delays before the first try, and at most; the spread is the share of it that is left to chance.
        /// </summary>
        private sealed class Patience
        {
            public double FirstMs;
            public double MostMs;
            public double Spread;
        }

        private static readonly Patience Soon = new Patience { FirstMs = 300, MostMs = 8000, Spread = 0.5 };
        /// <summary>Many are sent away at once, who must not all come back at once.</summary>
        private static readonly Patience Spread = new Patience { FirstMs = 2000, MostMs = 15000, Spread = 0.9 };
        private static readonly Patience AtOnce = new Patience { FirstMs = 0, MostMs = 8000, Spread = 0.5 };
        /// <summary>The server takes no connection for at least 5 s.</summary>
        private static readonly Patience Later = new Patience { FirstMs = 7200, MostMs = 400000, Spread = 0.25 };

        private static readonly Dictionary<int, Patience> Returning = new Dictionary<int, Patience>
        {
            { 1001, Soon }, { 1005, Soon }, { Lost, Soon }, { 4408, Soon },
            { 1011, Spread }, { 1012, Spread }, { 1013, Spread }, { TooSlow, Spread },
            { Expired, AtOnce }, { Flooded, Later },
        };

        private static readonly Dictionary<int, string> Words = new Dictionary<int, string>
        {
            { Normal, "the client closed the connection" },
            { 1001, "the server went away" },
            { OtherProtocol, "the server does not speak this client's protocol" },
            { 1003, "the server does not speak this client's encoding" },
            { 1005, "the connection ended without a reason" },
            { Lost, "the connection was lost" },
            { 1007, "the server could not read what this client sent" },
            { 1009, "a message was too big" },
            { 1011, "the server failed" },
            { 1012, "the server restarts" },
            { 1013, "the server has too much to do" },
            { 4400, "the server understood too little of what this client sent" },
            { Unauthorized, "the credentials are not valid any more" },
            { Forbidden, "the player may not take part in this session" },
            { NoSession, "there is no such session" },
            { 4408, "the server heard nothing for too long" },
            { Replaced, "the player joined from a newer connection" },
            { Ended, "the session has ended" },
            { TooSlow, "this client read too slowly" },
            { Expired, "the token has expired" },
            { Flooded, "this client sent too many messages" },
        };

        /// <summary>Whether to come back after a connection was closed with <paramref name="code"/>.</summary>
        public static bool ComesBack(int code)
        {
            return Returning.ContainsKey(code);
        }

        /// <summary>
        /// How long to wait before try number <paramref name="attempt"/>, counted from 0; <paramref name="dice"/> is
        /// between 0 and 1.
        /// </summary>
        public static double DelayMs(int code, int attempt, double dice)
        {
            Patience patience;
            if (!Returning.TryGetValue(code, out patience))
            {
                patience = Soon;
            }
            var first = patience.FirstMs == 0 && attempt > 0;
            var step = first ? Soon.FirstMs * Math.Pow(2, attempt - 1) : patience.FirstMs * Math.Pow(2, attempt);
            return Math.Min(patience.MostMs, step) * (1 - patience.Spread + patience.Spread * dice);
        }

        /// <summary>Why a connection was closed, for a person.</summary>
        public static string Because(int code)
        {
            string words;
            return Words.TryGetValue(code, out words) ? words : "the connection was closed with " + code;
        }

        /// <summary>
        /// The code that says the same as this answer to a <c>join</c>, where another try does not change it; 0 where
        /// it may.
        /// </summary>
        internal static int OfRefusedJoin(string reason)
        {
            switch (reason)
            {
                case "unauthorized": return Unauthorized;
                case "no_session": return NoSession;
                case "session_ended": return Ended;
                case "forbidden":
                case "not_a_participant":
                case "session_elsewhere":
                case "too_many_sessions": return Forbidden;
                default: return 0;
            }
        }

        /// <summary>The same of an answer to the request for a ticket, by its status.</summary>
        internal static int OfRefusedTicket(int status)
        {
            switch (status)
            {
                case 401: return Unauthorized;
                case 400:
                case 403: return Forbidden;
                case 404: return NoSession;
                case 409:
                case 410: return Ended;
                default: return 0;
            }
        }

        /// <summary>The same of being out of a session; <c>null</c> where it is to be joined again.</summary>
        internal static int? OfLeft(string why)
        {
            switch (why)
            {
                case "moved": return null;
                case "asked": return Normal;
                case "replaced": return Replaced;
                case "removed": return Forbidden;
                default: return Ended;
            }
        }
    }
}

namespace Tiltyard
{
    /// <summary>The answer to a <c>join</c>.</summary>
    public sealed class Joined
    {
        private static readonly string[] Nobody = new string[0];

        private Joined()
        {
            Session = Resume = "";
            Type = "combat";
            Members = Here = Nobody;
        }

        public string Session { get; private set; }

        /// <summary>combat, custom or player.</summary>
        public string Type { get; private set; }

        /// <summary>The session's handle.</summary>
        public long S { get; private set; }
        public int Slot { get; private set; }
        public int Team { get; private set; }

        /// <summary><c>deltas</c>: those after the sequence that one has. <c>snapshot</c>: a whole view.</summary>
        public string Resume { get; private set; }

        /// <summary>Why no deltas come: too_old, changed_hands, rolled_back or other_encoding.</summary>
        public string Why { get; private set; }

        /// <summary>The highest action id of one's own that has an answer, and the highest that was applied.</summary>
        public long LastId { get; private set; }
        public long Applied { get; private set; }

        /// <summary>How often the session has changed hands.</summary>
        public long Epoch { get; private set; }

        /// <summary>Session time, and the server's clock in Unix milliseconds.</summary>
        public long At { get; private set; }
        public long Time { get; private set; }

        /// <summary><c>null</c> where they are those that one has.</summary>
        public Rules Rules { get; private set; }
        public Timers Timers { get; private set; }

        /// <summary>Of a custom session: who is a member, who of them is connected, its version and its state.</summary>
        public string[] Members { get; private set; }
        public string[] Here { get; private set; }
        public long? Version { get; private set; }
        public object State { get; private set; }

        /// <summary>Of a player session: when it ends if nothing more happens, in Unix milliseconds.</summary>
        public long? ExpiresAt { get; private set; }

        internal static Joined Read(Reader reader)
        {
            var joined = new Joined();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "session": joined.Session = reader.Text(); break;
                    case "s": joined.S = reader.Whole(); break;
                    case "slot": joined.Slot = reader.Int(); break;
                    case "team": joined.Team = reader.Int(); break;
                    case "resume": joined.Resume = reader.Text(); break;
                    case "why": joined.Why = reader.Text(); break;
                    case "last_id": joined.LastId = reader.Whole(); break;
                    case "applied": joined.Applied = reader.Whole(); break;
                    case "epoch": joined.Epoch = reader.Whole(); break;
                    case "at": joined.At = reader.Whole(); break;
                    case "time": joined.Time = reader.Whole(); break;
                    case "rules": joined.Rules = Rules.Read(reader); break;
                    case "type": joined.Type = reader.Text(); break;
                    case "members": joined.Members = reader.Strings(); break;
                    case "here": joined.Here = reader.Strings(); break;
                    case "version": joined.Version = reader.Whole(); break;
                    case "state": joined.State = reader.Tree(); break;
                    case "expires_at": joined.ExpiresAt = reader.Whole(); break;
                    case "timers": joined.Timers = Timers.Read(reader); break;
                    default: reader.Skip(); break;
                }
            }
            return joined;
        }
    }

    /// <summary>How long this server and this session wait for what, in milliseconds.</summary>
    public sealed class Timers
    {
        public long SeatMs { get; private set; }
        public long CountdownMs { get; private set; }
        public long ResultsMs { get; private set; }
        public long LingerMs { get; private set; }
        public long PingMs { get; private set; }
        public long IdleMs { get; private set; }

        internal static Timers Read(Reader reader)
        {
            var timers = new Timers();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "seat_ms": timers.SeatMs = reader.Whole(); break;
                    case "countdown_ms": timers.CountdownMs = reader.Whole(); break;
                    case "results_ms": timers.ResultsMs = reader.Whole(); break;
                    case "linger_ms": timers.LingerMs = reader.Whole(); break;
                    case "ping_ms": timers.PingMs = reader.Whole(); break;
                    case "idle_ms": timers.IdleMs = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return timers;
        }
    }
}

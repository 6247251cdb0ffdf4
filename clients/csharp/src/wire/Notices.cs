namespace Tiltyard
{
    /// <summary>One is out of a session.</summary>
    public sealed class Left
    {
        private Left()
        {
            Why = "";
        }

        public long S { get; private set; }

        /// <summary>asked, replaced, moved, ended or removed.</summary>
        public string Why { get; private set; }

        internal static Left Read(Reader reader)
        {
            var left = new Left();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": left.S = reader.Whole(); break;
                    case "why": left.Why = reader.Text(); break;
                    default: reader.Skip(); break;
                }
            }
            return left;
        }
    }

    /// <summary>An <c>error</c>: what was said could not be done, and why.</summary>
    public sealed class Notice
    {
        internal Notice(string reason, string message)
        {
            Reason = reason;
            Message = message;
        }

        public string Reason { get; private set; }

        /// <summary>For a person.</summary>
        public string Message { get; private set; }
        public long? RetryMs { get; private set; }

        /// <summary>The type of the message that it answers, where the server says it.</summary>
        public string Re { get; private set; }

        /// <summary>The session whose <c>join</c> it answers, and the handle that another message named.</summary>
        public string Session { get; private set; }
        public long? S { get; private set; }

        /// <summary>Of <c>rolled_back</c>: from where to where; else <c>null</c>.</summary>
        public RolledBack RolledBack { get; private set; }

        internal static Notice Read(Reader reader)
        {
            var notice = new Notice("", null);
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "reason": notice.Reason = reader.Text(); break;
                    case "message": notice.Message = reader.Text(); break;
                    case "retry_ms": notice.RetryMs = reader.Whole(); break;
                    case "re": notice.Re = reader.Text(); break;
                    case "session": notice.Session = reader.Text(); break;
                    case "s": notice.S = reader.Whole(); break;
                    case "rolled_back": notice.RolledBack = RolledBack.Read(reader); break;
                    default: reader.Skip(); break;
                }
            }
            return notice;
        }
    }

    /// <summary>How far a session was set back behind what the client had of it.</summary>
    public sealed class RolledBack
    {
        /// <summary>The sequence that the client named, and its epoch; <c>null</c> where it named none.</summary>
        public long? From { get; private set; }
        public long? FromEpoch { get; private set; }

        /// <summary>Those that the server has.</summary>
        public long To { get; private set; }
        public long ToEpoch { get; private set; }

        internal static RolledBack Read(Reader reader)
        {
            var back = new RolledBack();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "from": back.From = reader.Whole(); break;
                    case "from_epoch": back.FromEpoch = reader.Whole(); break;
                    case "to": back.To = reader.Whole(); break;
                    case "to_epoch": back.ToEpoch = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return back;
        }
    }

    /// <summary>A new token or ticket was taken.</summary>
    public sealed class Renewed
    {
        /// <summary>Until the connection's token ends.</summary>
        public long LeftMs { get; private set; }

        internal static Renewed Read(Reader reader)
        {
            var renewed = new Renewed();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                if (key == "left_ms") renewed.LeftMs = reader.Whole();
                else reader.Skip();
            }
            return renewed;
        }
    }

    /// <summary>The answer to a <c>ping</c>.</summary>
    internal sealed class Pong
    {
        public long N { get; private set; }
        public long Time { get; private set; }
        public long? S { get; private set; }
        public long? At { get; private set; }

        public static Pong Read(Reader reader)
        {
            var pong = new Pong();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "n": pong.N = reader.Whole(); break;
                    case "time": pong.Time = reader.Whole(); break;
                    case "s": pong.S = reader.Whole(); break;
                    case "at": pong.At = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return pong;
        }
    }

    /// <summary>Why a session is closed for good.</summary>
    public sealed class Closing
    {
        internal Closing(int code, string why)
        {
            Code = code;
            Why = why;
        }

        /// <summary>The close code of WebSocket, or the one that says the same.</summary>
        public int Code { get; private set; }

        /// <summary>For a person.</summary>
        public string Why { get; private set; }
    }
}

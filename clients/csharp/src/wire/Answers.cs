namespace Tiltyard
{
    /// <summary>An action is applied, and in the log.</summary>
    public sealed class Ack
    {
        public long S { get; private set; }
        public long Id { get; private set; }

        /// <summary>The sequence of the delta that shows it.</summary>
        public long Q { get; private set; }

        /// <summary>Of a <c>patch</c> the version that has it, of a <c>relay</c> to how many it was handed, of a <c>beat</c> when
        /// the presence ends.</summary>
        public long? Version { get; private set; }
        public long? To { get; private set; }
        public long? ExpiresAt { get; private set; }

        internal static Ack Read(Reader reader)
        {
            var ack = new Ack();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": ack.S = reader.Whole(); break;
                    case "id": ack.Id = reader.Whole(); break;
                    case "q": ack.Q = reader.Whole(); break;
                    case "version": ack.Version = reader.Whole(); break;
                    case "to": ack.To = reader.Whole(); break;
                    case "expires_at": ack.ExpiresAt = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return ack;
        }
    }

    /// <summary>An action was not applied. <see cref="Id"/> 0: it was <c>ready</c> or <c>concede</c>.</summary>
    public sealed class Refused
    {
        private Refused()
        {
            Reason = "";
        }

        public long S { get; private set; }
        public long Id { get; private set; }
        public string Reason { get; private set; }

        /// <summary>For a person, where there is more to say.</summary>
        public string Message { get; private set; }

        /// <summary>When the same may be sent again under its id.</summary>
        public long? RetryMs { get; private set; }

        /// <summary>
        /// Of what was <c>too_fast</c>: where the server has the player, and how far it could have gone from there.
        /// </summary>
        public int? X { get; private set; }
        public int? Y { get; private set; }
        public long? AllowedCm { get; private set; }

        /// <summary>Of a <c>version_conflict</c>: the newest.</summary>
        public long? Version { get; private set; }

        internal static Refused Read(Reader reader)
        {
            var refused = new Refused();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": refused.S = reader.Whole(); break;
                    case "id": refused.Id = reader.Whole(); break;
                    case "reason": refused.Reason = reader.Text(); break;
                    case "message": refused.Message = reader.Text(); break;
                    case "retry_ms": refused.RetryMs = reader.Whole(); break;
                    case "x": refused.X = reader.Int(); break;
                    case "y": refused.Y = reader.Int(); break;
                    case "version": refused.Version = reader.Whole(); break;
                    case "allowed_cm": refused.AllowedCm = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return refused;
        }
    }

    /// <summary>An action is too old for its answer to be remembered.</summary>
    public sealed class Forgotten
    {
        public long S { get; private set; }
        public long Id { get; private set; }

        /// <summary><c>false</c>: it was certainly not applied. <c>null</c>: that is not known.</summary>
        public bool? Applied { get; private set; }

        /// <summary>The highest action id of one's own that has an answer.</summary>
        public long LastId { get; private set; }

        internal static Forgotten Read(Reader reader)
        {
            var forgotten = new Forgotten();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": forgotten.S = reader.Whole(); break;
                    case "id": forgotten.Id = reader.Whole(); break;
                    case "applied": forgotten.Applied = reader.Flag(); break;
                    case "last_id": forgotten.LastId = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return forgotten;
        }
    }
}

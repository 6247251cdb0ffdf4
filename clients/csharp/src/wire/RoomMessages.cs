namespace Tiltyard
{
    /// <summary>A custom session has another version: by a merge patch, or, where some were left out, as a whole.</summary>
    public sealed class StateChange
    {
        public long S { get; private set; }
        public long Version { get; private set; }

        /// <summary>The merge patch; <c>null</c> where something else has changed, or it is all of the state.</summary>
        public object Merge { get; private set; }

        /// <summary>Whether <see cref="State"/> is all of the state, in place of what was left out.</summary>
        public bool IsWhole { get; private set; }
        public object State { get; private set; }

        /// <summary>The player who changed it, where it was one.</summary>
        public string By { get; private set; }

        /// <summary>Who is a member, and who of them is connected; <c>null</c> where that has not changed.</summary>
        public string[] Members { get; private set; }
        public string[] Here { get; private set; }

        /// <summary>The server's clock in Unix milliseconds.</summary>
        public long Time { get; private set; }

        internal static StateChange Read(Reader reader)
        {
            var change = new StateChange();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": change.S = reader.Whole(); break;
                    case "version": change.Version = reader.Whole(); break;
                    case "merge": change.Merge = reader.Tree(); break;
                    case "state":
                        change.State = reader.Tree();
                        change.IsWhole = true;
                        break;
                    case "by": change.By = reader.Text(); break;
                    case "members": change.Members = reader.Strings(); break;
                    case "here": change.Here = reader.Strings(); break;
                    case "time": change.Time = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return change;
        }
    }

    /// <summary>What another member said.</summary>
    public sealed class Relayed
    {
        public long S { get; private set; }

        /// <summary>Its number in the session; those for another member alone count as well.</summary>
        public long N { get; private set; }
        public string From { get; private set; }
        public object Data { get; private set; }

        /// <summary>The server's clock in Unix milliseconds.</summary>
        public long Time { get; private set; }

        internal static Relayed Read(Reader reader)
        {
            var relayed = new Relayed();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": relayed.S = reader.Whole(); break;
                    case "n": relayed.N = reader.Whole(); break;
                    case "from": relayed.From = reader.Text(); break;
                    case "data": relayed.Data = reader.Tree(); break;
                    case "time": relayed.Time = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return relayed;
        }
    }

    /// <summary>A member came or went.</summary>
    public sealed class Presence
    {
        public long S { get; private set; }
        public string Player { get; private set; }

        /// <summary>joined, returned, replaced, lost or left.</summary>
        public string Why { get; private set; }

        /// <summary>How many are connected.</summary>
        public long? MembersHere { get; private set; }

        internal static Presence Read(Reader reader)
        {
            var presence = new Presence();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": presence.S = reader.Whole(); break;
                    case "player": presence.Player = reader.Text(); break;
                    case "why": presence.Why = reader.Text(); break;
                    case "members_here": presence.MembersHere = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return presence;
        }
    }

    /// <summary>What was relayed under these numbers did not reach this member, and does not come again.</summary>
    public sealed class MissedRelays
    {
        public long S { get; private set; }
        public long From { get; private set; }
        public long To { get; private set; }

        internal static MissedRelays Read(Reader reader)
        {
            var missed = new MissedRelays();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": missed.S = reader.Whole(); break;
                    case "from": missed.From = reader.Whole(); break;
                    case "to": missed.To = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return missed;
        }
    }
}

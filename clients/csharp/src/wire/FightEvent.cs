using System;

namespace Tiltyard
{
    /// <summary>
    /// Something that happened. <see cref="K"/> says what it is and which of the others are there; docs/PROTOCOL.md
    /// lists them.
    /// </summary>
    public sealed class FightEvent
    {
        private FightEvent()
        {
            K = "";
        }

        /// <summary>What it is: <c>hit</c>, <c>eliminated</c> and so on.</summary>
        public string K { get; private set; }
        public int? By { get; private set; }
        public int? To { get; private set; }
        public long? N { get; private set; }
        public bool Crit { get; private set; }
        public bool Guarded { get; private set; }

        /// <summary>Ability, effect, cover and hazard, by their places in the rules.</summary>
        public int? A { get; private set; }
        public int? E { get; private set; }
        public int? C { get; private set; }
        public int? Z { get; private set; }
        public int? St { get; private set; }
        public long? Until { get; private set; }
        public bool React { get; private set; }
        public long? Abs { get; private set; }
        public int? Enemy { get; private set; }
        public int? Team { get; private set; }

        /// <summary>Of <c>connected</c> and <c>disconnected</c>: joined, returned, replaced, lost or left.</summary>
        public string Why { get; private set; }

        internal static readonly Func<Reader, FightEvent> Read = reader =>
        {
            var that = new FightEvent();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "k": that.K = reader.Text(); break;
                    case "by": that.By = reader.Int(); break;
                    case "to": that.To = reader.Int(); break;
                    case "n": that.N = reader.Whole(); break;
                    case "crit": that.Crit = reader.Flag(); break;
                    case "guarded": that.Guarded = reader.Flag(); break;
                    case "a": that.A = reader.Int(); break;
                    case "e": that.E = reader.Int(); break;
                    case "c": that.C = reader.Int(); break;
                    case "z": that.Z = reader.Int(); break;
                    case "st": that.St = reader.Int(); break;
                    case "until": that.Until = reader.Whole(); break;
                    case "react": that.React = reader.Flag(); break;
                    case "abs": that.Abs = reader.Whole(); break;
                    case "enemy": that.Enemy = reader.Int(); break;
                    case "team": that.Team = reader.Int(); break;
                    case "why": that.Why = reader.Text(); break;
                    default: reader.Skip(); break;
                }
            }
            return that;
        };
    }
}

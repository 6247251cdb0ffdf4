using System;

namespace Tiltyard
{
    /// <summary>What has changed with one sequence. What is absent in the message is <c>null</c>.</summary>
    public sealed class Delta
    {
        private static readonly FightEvent[] NoEvents = new FightEvent[0];
        private static readonly Patch[] NoPatches = new Patch[0];

        internal Delta()
        {
            Ev = NoEvents;
            P = NoPatches;
        }

        /// <summary>The session's handle.</summary>
        public long S { get; private set; }

        /// <summary>The sequence.</summary>
        public long Q { get; private set; }

        /// <summary>Session time, and the server's clock in Unix milliseconds.</summary>
        public long At { get; private set; }
        public long Time { get; private set; }

        /// <summary>The highest id of one's own action that is applied once this is.</summary>
        public long Id { get; private set; }

        /// <summary>The events.</summary>
        public FightEvent[] Ev { get; private set; }

        /// <summary>How many participants there are, where some may have gone.</summary>
        public int? N { get; private set; }

        /// <summary>The patches.</summary>
        public Patch[] P { get; private set; }

        /// <summary>The new phase.</summary>
        public Phase Ph { get; private set; }

        /// <summary>Covers as [cover, health], hazards as [hazard, health, gone], and all the modifiers.</summary>
        public long[][] C { get; private set; }
        public long[][] Z { get; private set; }
        public int[] M { get; private set; }

        /// <summary>The digest of the view after it.</summary>
        public long? H { get; private set; }

        internal static Delta Read(Reader reader)
        {
            var delta = new Delta();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": delta.S = reader.Whole(); break;
                    case "q": delta.Q = reader.Whole(); break;
                    case "at": delta.At = reader.Whole(); break;
                    case "time": delta.Time = reader.Whole(); break;
                    case "id": delta.Id = reader.Whole(); break;
                    case "ev": delta.Ev = reader.List(FightEvent.Read); break;
                    case "n": delta.N = reader.Int(); break;
                    case "p": delta.P = reader.List(Patch.Read); break;
                    case "ph": delta.Ph = Phase.Read(reader); break;
                    case "c": delta.C = reader.List(Numbers(2)); break;
                    case "z": delta.Z = reader.List(Numbers(3)); break;
                    case "m": delta.M = reader.Ints(); break;
                    case "h": delta.H = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return delta;
        }

        private static Func<Reader, long[]> Numbers(int count)
        {
            return reader =>
            {
                var numbers = reader.Wholes();
                if (numbers.Length != count)
                {
                    throw new FormatException("a list has not as many numbers as it should");
                }
                return numbers;
            };
        }
    }

    /// <summary>A whole view.</summary>
    public sealed class Snapshot
    {
        public long S { get; private set; }

        /// <summary>The sequence.</summary>
        public long Q { get; private set; }

        /// <summary>Session time, and the server's clock in Unix milliseconds.</summary>
        public long At { get; private set; }
        public long Time { get; private set; }

        /// <summary>How often the session has changed hands.</summary>
        public long Epoch { get; private set; }

        /// <summary>The highest id of one's own action that is applied in it.</summary>
        public long Id { get; private set; }
        public View View { get; private set; }

        /// <summary>The digest of the view.</summary>
        public long H { get; private set; }

        /// <summary>What it stands for, where deltas were left out.</summary>
        public Missed Missed { get; private set; }

        internal static Snapshot Read(Reader reader)
        {
            var snapshot = new Snapshot { View = new View() };
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": snapshot.S = reader.Whole(); break;
                    case "q": snapshot.Q = reader.Whole(); break;
                    case "at": snapshot.At = reader.Whole(); break;
                    case "time": snapshot.Time = reader.Whole(); break;
                    case "epoch": snapshot.Epoch = reader.Whole(); break;
                    case "id": snapshot.Id = reader.Whole(); break;
                    case "view": snapshot.View = View.Read(reader); break;
                    case "h": snapshot.H = reader.Whole(); break;
                    case "missed": snapshot.Missed = Missed.Read(reader); break;
                    default: reader.Skip(); break;
                }
            }
            return snapshot;
        }
    }

    /// <summary>Events that were left out, from the first sequence to the last.</summary>
    public sealed class Missed
    {
        /// <summary>How many; <c>null</c> where the server does not know.</summary>
        public long? Events { get; private set; }
        public long From { get; private set; }
        public long To { get; private set; }

        internal static Missed Read(Reader reader)
        {
            var missed = new Missed();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "events": missed.Events = reader.Whole(); break;
                    case "from": missed.From = reader.Whole(); break;
                    case "to": missed.To = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return missed;
        }
    }
}

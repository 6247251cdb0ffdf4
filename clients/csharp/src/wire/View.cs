using System;

namespace Tiltyard
{
    /// <summary>A fight as this player is shown it. It never changes: after a delta there is another one.</summary>
    public sealed class View
    {
        private static readonly int[] NoInts = new int[0];
        private static readonly long[] NoWholes = new long[0];
        private static readonly Hazard[] NoHazards = new Hazard[0];
        private static readonly Participant[] Nobody = new Participant[0];

        internal View()
        {
            Phase = new Phase();
            Participants = Nobody;
            Covers = NoWholes;
            Modifiers = NoInts;
            Hazards = NoHazards;
        }

        public Phase Phase { get; internal set; }
        public int Seats { get; internal set; }

        /// <summary>By slot: the players, then the server's enemies.</summary>
        public Participant[] Participants { get; internal set; }

        /// <summary>The health of each cover of the rules.</summary>
        public long[] Covers { get; internal set; }
        public Hazard[] Hazards { get; internal set; }

        /// <summary>Effects that everybody is under.</summary>
        public int[] Modifiers { get; internal set; }

        internal View Copy()
        {
            return (View)MemberwiseClone();
        }

        internal static View Read(Reader reader)
        {
            var view = new View();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "phase": view.Phase = Phase.Read(reader); break;
                    case "seats": view.Seats = reader.Int(); break;
                    case "participants": view.Participants = reader.List<Participant>(Participant.Read); break;
                    case "covers": view.Covers = reader.Wholes(); break;
                    case "hazards": view.Hazards = reader.List<Hazard>(Hazard.Read); break;
                    case "modifiers": view.Modifiers = reader.Ints(); break;
                    default: reader.Skip(); break;
                }
            }
            return view;
        }
    }

    /// <summary>A hazard of the field as it is now.</summary>
    public struct Hazard
    {
        public long Health { get; internal set; }

        /// <summary>1 for one that is gone.</summary>
        public int Gone { get; internal set; }

        internal static Hazard Read(Reader reader)
        {
            var hazard = reader.Wholes();
            if (hazard.Length != 2)
            {
                throw new FormatException("a hazard is two numbers");
            }
            return new Hazard { Health = hazard[0], Gone = (int)hazard[1] };
        }
    }
}

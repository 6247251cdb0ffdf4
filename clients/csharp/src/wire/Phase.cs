using System;

namespace Tiltyard
{
    /// <summary>The course of a fight. What is absent in the message is <c>null</c>.</summary>
    public sealed class Phase
    {
        private static readonly TeamWins[] NoWins = new TeamWins[0];

        internal Phase()
        {
            Wins = NoWins;
            Status = Name = State = "";
        }

        /// <summary>initializing, active, paused, completed or terminated.</summary>
        public string Status { get; private set; }

        /// <summary>`phase`: preparation, active, cooldown or finished.</summary>
        public string Name { get; private set; }

        /// <summary>The ruleset's own name for where the fight is.</summary>
        public string State { get; private set; }

        /// <summary>When the state ends by itself.</summary>
        public long? Until { get; private set; }
        public int? Winner { get; private set; }
        public int? Team { get; private set; }

        /// <summary>What it was ended by.</summary>
        public string End { get; private set; }

        /// <summary>How many rounds are over.</summary>
        public int Round { get; private set; }
        public TeamWins[] Wins { get; private set; }

        /// <summary>The slot whose turn it is.</summary>
        public int? Turn { get; private set; }
        public long? TurnUntil { get; private set; }

        internal static Phase Read(Reader reader)
        {
            var phase = new Phase();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "status": phase.Status = reader.Text(); break;
                    case "phase": phase.Name = reader.Text(); break;
                    case "state": phase.State = reader.Text(); break;
                    case "until": phase.Until = reader.Whole(); break;
                    case "winner": phase.Winner = reader.Int(); break;
                    case "team": phase.Team = reader.Int(); break;
                    case "end": phase.End = reader.Text(); break;
                    case "round": phase.Round = reader.Int(); break;
                    case "wins": phase.Wins = reader.List(WinsOf); break;
                    case "turn": phase.Turn = reader.Int(); break;
                    case "turn_until": phase.TurnUntil = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return phase;
        }

        private static readonly Func<Reader, TeamWins> WinsOf = TeamWins.Read;
    }

    /// <summary>How many rounds a team has won.</summary>
    public struct TeamWins
    {
        public int Team { get; private set; }
        public int Rounds { get; private set; }

        internal static TeamWins Read(Reader reader)
        {
            var wins = reader.Ints();
            if (wins.Length != 2)
            {
                throw new FormatException("a team's wins are two numbers");
            }
            return new TeamWins { Team = wins[0], Rounds = wins[1] };
        }
    }
}

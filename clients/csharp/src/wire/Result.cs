namespace Tiltyard
{
    /// <summary>How a fight ended.</summary>
    public sealed class Result
    {
        private Result()
        {
            Reason = "";
            Standings = new Standing[0];
        }

        public long S { get; private set; }
        public long Q { get; private set; }

        /// <summary>Session time, and the server's clock in Unix milliseconds.</summary>
        public long At { get; private set; }
        public long Time { get; private set; }
        public string Reason { get; private set; }

        /// <summary>The slot and the team that won, if one did.</summary>
        public int? Winner { get; private set; }
        public int? Team { get; private set; }
        public long DurationMs { get; private set; }
        public Standing[] Standings { get; private set; }

        internal static Result Read(Reader reader)
        {
            var result = new Result();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "s": result.S = reader.Whole(); break;
                    case "q": result.Q = reader.Whole(); break;
                    case "at": result.At = reader.Whole(); break;
                    case "time": result.Time = reader.Whole(); break;
                    case "reason": result.Reason = reader.Text(); break;
                    case "winner": result.Winner = reader.Int(); break;
                    case "team": result.Team = reader.Int(); break;
                    case "duration_ms": result.DurationMs = reader.Whole(); break;
                    case "standings": result.Standings = reader.List<Standing>(Standing.Read); break;
                    default: reader.Skip(); break;
                }
            }
            return result;
        }
    }

    /// <summary>How one did.</summary>
    public sealed class Standing
    {
        private Standing()
        {
            Player = "";
        }

        public int Slot { get; private set; }
        public string Player { get; private set; }
        public int Team { get; private set; }
        public int? Enemy { get; private set; }
        public long Score { get; private set; }
        public long Eliminations { get; private set; }
        public long Damage { get; private set; }

        internal static Standing Read(Reader reader)
        {
            var standing = new Standing();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "slot": standing.Slot = reader.Int(); break;
                    case "player": standing.Player = reader.Text(); break;
                    case "team": standing.Team = reader.Int(); break;
                    case "enemy": standing.Enemy = reader.Int(); break;
                    case "score": standing.Score = reader.Whole(); break;
                    case "eliminations": standing.Eliminations = reader.Whole(); break;
                    case "damage": standing.Damage = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return standing;
        }
    }
}

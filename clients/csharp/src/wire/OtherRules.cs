namespace Tiltyard
{
    /// <summary>An effect.</summary>
    public sealed class EffectRules
    {
        private EffectRules()
        {
            Name = "";
            Denies = new string[0];
        }

        public string Name { get; private set; }

        /// <summary><c>null</c> where it has none.</summary>
        public string Element { get; private set; }
        public bool Stuns { get; private set; }

        /// <summary>The kinds of action that its bearer cannot do.</summary>
        public string[] Denies { get; private set; }

        internal static EffectRules Read(Reader reader)
        {
            var rules = new EffectRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "element": rules.Element = reader.Text(); break;
                    case "stuns": rules.Stuns = reader.Flag(); break;
                    case "denies": rules.Denies = reader.Strings(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }

    /// <summary>An enemy that the server plays.</summary>
    public sealed class EnemyRules
    {
        private EnemyRules()
        {
            Name = Rank = "";
            Phases = new string[0];
        }

        public string Name { get; private set; }

        /// <summary>normal, elite or boss.</summary>
        public string Rank { get; private set; }
        public long Health { get; private set; }
        public string[] Phases { get; private set; }

        internal static EnemyRules Read(Reader reader)
        {
            var rules = new EnemyRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "rank": rules.Rank = reader.Text(); break;
                    case "health": rules.Health = reader.Whole(); break;
                    case "phases": rules.Phases = reader.Strings(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }

    /// <summary>Where the fight takes place; the origin is the upper left corner.</summary>
    public sealed class FieldRules
    {
        internal FieldRules()
        {
            Name = "";
            Covers = new CoverRules[0];
            Hazards = new HazardRules[0];
        }

        public string Name { get; private set; }
        public long WidthCm { get; private set; }
        public long HeightCm { get; private set; }
        public CoverRules[] Covers { get; private set; }
        public HazardRules[] Hazards { get; private set; }

        internal static FieldRules Read(Reader reader)
        {
            var rules = new FieldRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "width_cm": rules.WidthCm = reader.Whole(); break;
                    case "height_cm": rules.HeightCm = reader.Whole(); break;
                    case "covers": rules.Covers = reader.List<CoverRules>(CoverRules.Read); break;
                    case "hazards": rules.Hazards = reader.List<HazardRules>(HazardRules.Read); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }

    /// <summary>A rectangle to hide behind.</summary>
    public sealed class CoverRules
    {
        private CoverRules()
        {
            Name = Kind = "";
        }

        public string Name { get; private set; }

        /// <summary>soft, hard or wall.</summary>
        public string Kind { get; private set; }
        public int X { get; private set; }
        public int Y { get; private set; }
        public long W { get; private set; }
        public long H { get; private set; }
        public long Health { get; private set; }

        internal static CoverRules Read(Reader reader)
        {
            var rules = new CoverRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "kind": rules.Kind = reader.Text(); break;
                    case "x": rules.X = reader.Int(); break;
                    case "y": rules.Y = reader.Int(); break;
                    case "w": rules.W = reader.Whole(); break;
                    case "h": rules.H = reader.Whole(); break;
                    case "health": rules.Health = reader.Whole(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }

    /// <summary>A place that hurts.</summary>
    public sealed class HazardRules
    {
        private HazardRules()
        {
            Name = "";
        }

        public string Name { get; private set; }
        public int X { get; private set; }
        public int Y { get; private set; }
        public long R { get; private set; }
        public long Health { get; private set; }
        public bool Everywhere { get; private set; }

        internal static HazardRules Read(Reader reader)
        {
            var rules = new HazardRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "x": rules.X = reader.Int(); break;
                    case "y": rules.Y = reader.Int(); break;
                    case "r": rules.R = reader.Whole(); break;
                    case "health": rules.Health = reader.Whole(); break;
                    case "everywhere": rules.Everywhere = reader.Flag(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }
}

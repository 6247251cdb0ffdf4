using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>An effect.</summary>
    public sealed class EffectRules
    {
        private EffectRules()
        {
            Name = "";
            Denies = new string[0];
            Changes = new Dictionary<string, int>();
        }

        public string Name { get; private set; }

        /// <summary><c>null</c> where it has none.</summary>
        public string Element { get; private set; }
        public bool Stuns { get; private set; }

        /// <summary>The kinds of action that its bearer cannot do.</summary>
        public string[] Denies { get; private set; }

        /// <summary>How long it lasts.</summary>
        public long Ms { get; private set; }

        /// <summary>Most stacks or copies of it; <c>null</c> for one.</summary>
        public int? Stacks { get; private set; }

        /// <summary>How often it hurts or heals; <c>null</c> for never.</summary>
        public long? TickMs { get; private set; }

        /// <summary>Of a tick and stack.</summary>
        public long? TickDamage { get; private set; }

        /// <summary>Of a tick and stack.</summary>
        public long? TickHeal { get; private set; }

        /// <summary>By how many percent each stack changes what, all of them added up: damage_dealt, damage_taken, rage, speed, accuracy, armor,
        /// healing, regeneration.</summary>
        public Dictionary<string, int> Changes { get; private set; }

        /// <summary>Damage that it takes in place of health, in percent of its bearer's most health.</summary>
        public long? AbsorbsPercent { get; private set; }

        /// <summary>The first damage ends it.</summary>
        public bool Fragile { get; private set; }

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
                    case "ms": rules.Ms = reader.Whole(); break;
                    case "stacks": rules.Stacks = reader.Int(); break;
                    case "tick_ms": rules.TickMs = reader.Whole(); break;
                    case "tick_damage": rules.TickDamage = reader.Whole(); break;
                    case "tick_heal": rules.TickHeal = reader.Whole(); break;
                    case "changes": rules.Changes = Percents(reader); break;
                    case "absorbs_percent": rules.AbsorbsPercent = reader.Whole(); break;
                    case "fragile": rules.Fragile = reader.Flag(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }

        private static Dictionary<string, int> Percents(Reader reader)
        {
            var percents = new Dictionary<string, int>();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                percents[key] = reader.Int();
            }
            return percents;
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

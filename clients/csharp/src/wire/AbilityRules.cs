using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>An ability or item.</summary>
    public sealed class AbilityRules
    {
        private AbilityRules()
        {
            Cost = new Dictionary<string, long>();
            Name = Kind = Key = Affects = Shape = "";
        }

        public string Name { get; private set; }

        /// <summary>ability, item or passive.</summary>
        public string Kind { get; private set; }
        public string Key { get; private set; }

        /// <summary>Of stamina, energy, charge and ammo.</summary>
        public Dictionary<string, long> Cost { get; private set; }
        public long CooldownMs { get; private set; }

        /// <summary>0: as often as one likes.</summary>
        public int Uses { get; private set; }
        public long CastMs { get; private set; }
        public bool Channel { get; private set; }

        /// <summary>own, allies, enemies, others or fallen.</summary>
        public string Affects { get; private set; }

        /// <summary>single, area, line or cone.</summary>
        public string Shape { get; private set; }
        public long RangeCm { get; private set; }
        public long? RadiusCm { get; private set; }
        public long? WidthCm { get; private set; }
        public int? Degrees { get; private set; }

        /// <summary>Most targets of an area, a line or a cone.</summary>
        public int? Targets { get; private set; }

        /// <summary>Walls are in its way.</summary>
        public bool Sight { get; private set; }

        /// <summary>Of a cast: it does what it does every so often, and not once at the end.</summary>
        public long? EveryMs { get; private set; }

        /// <summary>Of a cast: more damage than this in all breaks it.</summary>
        public long? BrokenBy { get; private set; }

        /// <summary>Only at targets that have less than this share of their health.</summary>
        public int? BelowPercent { get; private set; }

        internal static AbilityRules Read(Reader reader)
        {
            var rules = new AbilityRules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "kind": rules.Kind = reader.Text(); break;
                    case "key": rules.Key = reader.Text(); break;
                    case "cost": rules.Cost = Costs(reader); break;
                    case "cooldown_ms": rules.CooldownMs = reader.Whole(); break;
                    case "uses": rules.Uses = reader.Int(); break;
                    case "cast_ms": rules.CastMs = reader.Whole(); break;
                    case "channel": rules.Channel = reader.Flag(); break;
                    case "affects": rules.Affects = reader.Text(); break;
                    case "shape": rules.Shape = reader.Text(); break;
                    case "range_cm": rules.RangeCm = reader.Whole(); break;
                    case "radius_cm": rules.RadiusCm = reader.Whole(); break;
                    case "width_cm": rules.WidthCm = reader.Whole(); break;
                    case "degrees": rules.Degrees = reader.Int(); break;
                    case "targets": rules.Targets = reader.Int(); break;
                    case "sight": rules.Sight = reader.Flag(); break;
                    case "every_ms": rules.EveryMs = reader.Whole(); break;
                    case "broken_by": rules.BrokenBy = reader.Whole(); break;
                    case "below_percent": rules.BelowPercent = reader.Int(); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }

        private static Dictionary<string, long> Costs(Reader reader)
        {
            var costs = new Dictionary<string, long>();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                costs[key] = reader.Whole();
            }
            return costs;
        }
    }
}

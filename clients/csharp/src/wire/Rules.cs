namespace Tiltyard
{
    /// <summary>What a session is played by; it never changes. Lengths are centimetres, times milliseconds.</summary>
    public sealed class Rules
    {
        private Rules()
        {
            Name = Title = Ruleset = Hash = Mode = "";
            Field = new FieldRules();
            States = new string[0];
            Abilities = new AbilityRules[0];
            Effects = new EffectRules[0];
            Enemies = new EnemyRules[0];
        }

        public string Name { get; private set; }
        public string Title { get; private set; }

        /// <summary>Of the ruleset's text.</summary>
        public string Ruleset { get; private set; }

        /// <summary>Over all that is here.</summary>
        public string Hash { get; private set; }
        public string Mode { get; private set; }
        public long Health { get; private set; }
        public long Shield { get; private set; }
        public long Armor { get; private set; }
        public long Stamina { get; private set; }
        public long StaminaPerSecond { get; private set; }
        public long Energy { get; private set; }
        public long EnergyPerSecond { get; private set; }
        public long Ammo { get; private set; }
        public long ReloadMs { get; private set; }
        public long AttackIntervalMs { get; private set; }
        public long AttackRangeCm { get; private set; }
        public long DefendCost { get; private set; }
        public long DefendMs { get; private set; }
        public long DefendCooldownMs { get; private set; }
        /// <summary>What effects make of it is in their <c>Changes</c>.</summary>
        public long SpeedCmPerS { get; private set; }

        /// <summary>Actions of a participant in a second, and at once; 0 where they are not counted.</summary>
        public long ActionsPerSecond { get; private set; }

        /// <summary>0: there is no fog.</summary>
        public long SightCm { get; private set; }
        public long Rounds { get; private set; }
        public long ScoreLimit { get; private set; }
        public long TurnMs { get; private set; }

        /// <summary>Players have the first so many abilities.</summary>
        public int Kit { get; private set; }
        public string[] States { get; private set; }
        public AbilityRules[] Abilities { get; private set; }
        public EffectRules[] Effects { get; private set; }
        public EnemyRules[] Enemies { get; private set; }
        public FieldRules Field { get; private set; }

        internal static Rules Read(Reader reader)
        {
            var rules = new Rules();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                switch (key)
                {
                    case "name": rules.Name = reader.Text(); break;
                    case "title": rules.Title = reader.Text(); break;
                    case "ruleset": rules.Ruleset = reader.Text(); break;
                    case "hash": rules.Hash = reader.Text(); break;
                    case "mode": rules.Mode = reader.Text(); break;
                    case "health": rules.Health = reader.Whole(); break;
                    case "shield": rules.Shield = reader.Whole(); break;
                    case "armor": rules.Armor = reader.Whole(); break;
                    case "stamina": rules.Stamina = reader.Whole(); break;
                    case "stamina_per_second": rules.StaminaPerSecond = reader.Whole(); break;
                    case "energy": rules.Energy = reader.Whole(); break;
                    case "energy_per_second": rules.EnergyPerSecond = reader.Whole(); break;
                    case "ammo": rules.Ammo = reader.Whole(); break;
                    case "reload_ms": rules.ReloadMs = reader.Whole(); break;
                    case "attack_interval_ms": rules.AttackIntervalMs = reader.Whole(); break;
                    case "attack_range_cm": rules.AttackRangeCm = reader.Whole(); break;
                    case "defend_cost": rules.DefendCost = reader.Whole(); break;
                    case "defend_ms": rules.DefendMs = reader.Whole(); break;
                    case "defend_cooldown_ms": rules.DefendCooldownMs = reader.Whole(); break;
                    case "speed_cm_per_s": rules.SpeedCmPerS = reader.Whole(); break;
                    case "actions_per_second": rules.ActionsPerSecond = reader.Whole(); break;
                    case "sight_cm": rules.SightCm = reader.Whole(); break;
                    case "rounds": rules.Rounds = reader.Whole(); break;
                    case "score_limit": rules.ScoreLimit = reader.Whole(); break;
                    case "turn_ms": rules.TurnMs = reader.Whole(); break;
                    case "kit": rules.Kit = reader.Int(); break;
                    case "states": rules.States = reader.Strings(); break;
                    case "abilities": rules.Abilities = reader.List<AbilityRules>(AbilityRules.Read); break;
                    case "effects": rules.Effects = reader.List<EffectRules>(EffectRules.Read); break;
                    case "enemies": rules.Enemies = reader.List<EnemyRules>(EnemyRules.Read); break;
                    case "field": rules.Field = FieldRules.Read(reader); break;
                    default: reader.Skip(); break;
                }
            }
            return rules;
        }
    }
}

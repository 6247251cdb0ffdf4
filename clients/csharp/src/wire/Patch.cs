using System;

namespace Tiltyard
{
    /// <summary>The fields of a participant that a patch may have.</summary>
    [Flags]
    internal enum Fields
    {
        Player = 1 << 0, Team = 1 << 1, Status = 1 << 2, Ready = 1 << 3, Score = 1 << 4, Hidden = 1 << 5, Enemy = 1 << 6,
        Phase = 1 << 7, Hp = 1 << 8, Armor = 1 << 9, Shield = 1 << 10, Stamina = 1 << 11, StaminaAt = 1 << 12,
        StaminaRate = 1 << 13, GuardUntil = 1 << 14, State = 1 << 15, X = 1 << 16, Y = 1 << 17, F = 1 << 18, Vx = 1 << 19,
        Vy = 1 << 20, Effects = 1 << 21, Cast = 1 << 22, Energy = 1 << 23, EnergyAt = 1 << 24, EnergyRate = 1 << 25,
        Charge = 1 << 26, Ammo = 1 << 27, ReloadAt = 1 << 28, Used = 1 << 29,
    }

    /// <summary>New values of some fields of the participant in slot <see cref="I"/>.</summary>
    public sealed class Patch
    {
        private Fields has;

        private Patch()
        {
            Values = new Participant();
        }

        /// <summary>The slot.</summary>
        public int I { get; private set; }

        /// <summary>The new values; those of other fields say nothing.</summary>
        internal Participant Values { get; private set; }

        /// <summary>Whether it says all there is to know, also of another player in this slot.</summary>
        public bool IsWhole { get { return Has(Fields.Player); } }

        /// <summary>Whether it says that the participant is out of sight.</summary>
        public bool Hides { get { return Has(Fields.Hidden) && Values.Hidden; } }

        /// <summary>Whether it says where the participant is.</summary>
        public bool Moves { get { return Has(Fields.X) || Has(Fields.Y); } }

        internal bool Has(Fields field)
        {
            return (has & field) != 0;
        }

        /// <summary>Writes its values over those of <paramref name="to"/>.</summary>
        internal void Over(Participant to)
        {
            var from = Values;
            if (Has(Fields.Player)) to.Player = from.Player;
            if (Has(Fields.Team)) to.Team = from.Team;
            if (Has(Fields.Status)) to.Status = from.Status;
            if (Has(Fields.Ready)) to.Ready = from.Ready;
            if (Has(Fields.Score)) to.Score = from.Score;
            if (Has(Fields.Hidden)) to.Hidden = from.Hidden;
            if (Has(Fields.Enemy)) to.Enemy = from.Enemy;
            if (Has(Fields.Phase)) to.Phase = from.Phase;
            if (Has(Fields.Hp)) to.Hp = from.Hp;
            if (Has(Fields.Armor)) to.Armor = from.Armor;
            if (Has(Fields.Shield)) to.Shield = from.Shield;
            if (Has(Fields.Stamina)) to.Stamina = from.Stamina;
            if (Has(Fields.StaminaAt)) to.StaminaAt = from.StaminaAt;
            if (Has(Fields.StaminaRate)) to.StaminaRate = from.StaminaRate;
            if (Has(Fields.GuardUntil)) to.GuardUntil = from.GuardUntil;
            if (Has(Fields.State)) to.State = from.State;
            if (Has(Fields.X)) to.X = from.X;
            if (Has(Fields.Y)) to.Y = from.Y;
            if (Has(Fields.F)) to.F = from.F;
            if (Has(Fields.Vx)) to.Vx = from.Vx;
            if (Has(Fields.Vy)) to.Vy = from.Vy;
            if (Has(Fields.Effects)) to.Effects = from.Effects;
            if (Has(Fields.Cast)) to.Cast = from.Cast;
            if (Has(Fields.Energy)) to.Energy = from.Energy;
            if (Has(Fields.EnergyAt)) to.EnergyAt = from.EnergyAt;
            if (Has(Fields.EnergyRate)) to.EnergyRate = from.EnergyRate;
            if (Has(Fields.Charge)) to.Charge = from.Charge;
            if (Has(Fields.Ammo)) to.Ammo = from.Ammo;
            if (Has(Fields.ReloadAt)) to.ReloadAt = from.ReloadAt;
            if (Has(Fields.Used)) to.Used = from.Used;
        }

        internal static readonly Func<Reader, Patch> Read = reader =>
        {
            var patch = new Patch();
            string key;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                if (key == "i") patch.I = reader.Int();
                else patch.has |= patch.Take(key, reader);
            }
            return patch;
        };

        private Fields Take(string key, Reader reader)
        {
            var to = Values;
            switch (key)
            {
                case "player": to.Player = reader.Text(); return Fields.Player;
                case "team": to.Team = reader.Int(); return Fields.Team;
                case "status": to.Status = reader.Text(); return Fields.Status;
                case "ready": to.Ready = reader.Flag(); return Fields.Ready;
                case "score": to.Score = reader.Whole(); return Fields.Score;
                case "hidden": to.Hidden = reader.Flag(); return Fields.Hidden;
                case "enemy": to.Enemy = reader.Int(); return Fields.Enemy;
                case "phase": to.Phase = reader.Int(); return Fields.Phase;
                case "hp": to.Hp = reader.Whole(); return Fields.Hp;
                case "armor": to.Armor = reader.Whole(); return Fields.Armor;
                case "shield": to.Shield = reader.Whole(); return Fields.Shield;
                case "stamina": to.Stamina = reader.Whole(); return Fields.Stamina;
                case "stamina_at": to.StaminaAt = reader.Whole(); return Fields.StaminaAt;
                case "stamina_rate": to.StaminaRate = reader.Whole(); return Fields.StaminaRate;
                case "guard_until": to.GuardUntil = reader.Whole(); return Fields.GuardUntil;
                case "state": to.State = reader.Int(); return Fields.State;
                case "x": to.X = reader.Int(); return Fields.X;
                case "y": to.Y = reader.Int(); return Fields.Y;
                case "f": to.F = reader.Int(); return Fields.F;
                case "vx": to.Vx = reader.Int(); return Fields.Vx;
                case "vy": to.Vy = reader.Int(); return Fields.Vy;
                case "effects": to.Effects = reader.List(Stack.Read); return Fields.Effects;
                case "cast": to.Cast = Cast.Read(reader); return Fields.Cast;
                case "energy": to.Energy = reader.Whole(); return Fields.Energy;
                case "energy_at": to.EnergyAt = reader.Whole(); return Fields.EnergyAt;
                case "energy_rate": to.EnergyRate = reader.Whole(); return Fields.EnergyRate;
                case "charge": to.Charge = reader.Whole(); return Fields.Charge;
                case "ammo": to.Ammo = reader.Whole(); return Fields.Ammo;
                case "reload_at": to.ReloadAt = reader.Whole(); return Fields.ReloadAt;
                case "used": to.Used = reader.List(Stack.Read); return Fields.Used;
                default: reader.Skip(); return 0;
            }
        }
    }
}

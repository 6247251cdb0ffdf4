using System;

namespace Tiltyard
{
    /// <summary>
    /// A participant as this player is shown it; what is hidden is at its zero value. Times are session time in milliseconds,
    /// lengths are centimetres, <c>Stamina</c> and <c>Energy</c> thousandths as they were at <c>…At</c>.
    /// </summary>
    public sealed class Participant
    {
        private static readonly Stack[] NoStacks = new Stack[0];

        internal Participant()
        {
            Player = "";
            Status = "active";
            Effects = Used = NoStacks;
        }

        public string Player { get; internal set; }
        public int Team { get; internal set; }

        /// <summary>active, eliminated or disconnected.</summary>
        public string Status { get; internal set; }
        public bool Ready { get; internal set; }
        public long Score { get; internal set; }

        /// <summary>Out of sight: nothing below is known.</summary>
        public bool Hidden { get; internal set; }

        /// <summary>Which enemy of the rules it is, where the server plays it.</summary>
        public int? Enemy { get; internal set; }
        public int Phase { get; internal set; }
        public long Hp { get; internal set; }
        public long Armor { get; internal set; }
        public long Shield { get; internal set; }
        public long Stamina { get; internal set; }
        public long StaminaAt { get; internal set; }
        public long StaminaRate { get; internal set; }
        public long GuardUntil { get; internal set; }

        /// <summary>A place in the rules' states.</summary>
        public int State { get; internal set; }
        public int X { get; internal set; }
        public int Y { get; internal set; }

        /// <summary>`f`: which way it faces, in whole degrees: 0 is +x, 90 is +y.</summary>
        public int F { get; internal set; }

        /// <summary>How fast it says that it goes, in centimetres a second.</summary>
        public int Vx { get; internal set; }
        public int Vy { get; internal set; }

        /// <summary>Effect, stacks, and until when: 0 for as long as the round lasts.</summary>
        public Stack[] Effects { get; internal set; }

        /// <summary>The ability that it casts, and until when; <c>null</c> where it casts nothing.</summary>
        public Cast? Cast { get; internal set; }
        public long Energy { get; internal set; }
        public long EnergyAt { get; internal set; }
        public long EnergyRate { get; internal set; }

        /// <summary>In percent.</summary>
        public long Charge { get; internal set; }
        public long Ammo { get; internal set; }

        /// <summary>0 while nothing is reloaded.</summary>
        public long ReloadAt { get; internal set; }

        /// <summary>Ability or item, how often it was used in this round, and when it is ready again.</summary>
        public Stack[] Used { get; internal set; }

        internal Participant Copy()
        {
            return (Participant)MemberwiseClone();
        }

        internal static Participant Read(Reader reader)
        {
            return Patch.Read(reader).Values;
        }
    }

    /// <summary>A place in one of the rules' lists with a number and a time.</summary>
    public struct Stack
    {
        /// <summary>The effect, ability or item.</summary>
        public int Of { get; private set; }

        /// <summary>How many stacks, or how many times.</summary>
        public int Count { get; private set; }

        /// <summary>Until when an effect lasts; when an ability is ready again.</summary>
        public long Until { get; private set; }

        internal static readonly Func<Reader, Stack> Read = reader =>
        {
            var stack = new Stack();
            reader.OpenList();
            var whole = reader.Item();
            if (whole) stack.Of = reader.Int();
            whole = whole && reader.Item();
            if (whole) stack.Count = reader.Int();
            whole = whole && reader.Item();
            if (whole) stack.Until = reader.Whole();
            if (!whole || reader.Item())
            {
                throw new FormatException("a stack is three numbers");
            }
            return stack;
        };
    }

    /// <summary>What is being cast.</summary>
    public struct Cast
    {
        public int Ability { get; private set; }
        public long Until { get; private set; }

        internal static Cast? Read(Reader reader)
        {
            reader.OpenList();
            if (!reader.Item())
            {
                return null;
            }
            var cast = new Cast { Ability = reader.Int() };
            if (!reader.Item())
            {
                throw new FormatException("a cast has two numbers or none");
            }
            cast.Until = reader.Whole();
            if (reader.Item())
            {
                throw new FormatException("a cast has two numbers or none");
            }
            return cast;
        }
    }
}

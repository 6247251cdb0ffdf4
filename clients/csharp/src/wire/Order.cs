namespace Tiltyard
{
    /// <summary>
    /// What a player wants done: an action without its session and number. What is <c>null</c> is not said.
    /// </summary>
    public sealed class Order
    {
        /// <summary>An order of this kind: attack, defend, ability, item_use or move.</summary>
        public Order(string kind)
        {
            Kind = kind;
        }

        public string Kind { get; private set; }

        /// <summary>The slot it is aimed at, and for an attack the part: head, torso or limb.</summary>
        public int? To { get; set; }
        public string Part { get; set; }

        /// <summary>The ability or item, by its place in the rules.</summary>
        public int? A { get; set; }

        /// <summary>A place.</summary>
        public int? X { get; set; }
        public int? Y { get; set; }

        /// <summary>Of a move: the facing in whole degrees, and the velocity in centimetres a second.</summary>
        public int? F { get; set; }
        public int? Vx { get; set; }
        public int? Vy { get; set; }

        /// <summary>A cover or a hazard to attack.</summary>
        public int? C { get; set; }
        public int? Z { get; set; }

        internal Order Copy()
        {
            return (Order)MemberwiseClone();
        }

        internal Message Say(long handle, long id)
        {
            return new Message("action").With("s", handle).With("id", id).With("kind", Kind).With("to", To).With("part", Part)
                .With("a", A).With("x", X).With("y", Y).With("f", F).With("vx", Vx).With("vy", Vy).With("c", C).With("z", Z);
        }
    }
}

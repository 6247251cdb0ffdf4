using System;

namespace Tiltyard
{
    /// <content>What a player can have done, by name.</content>
    public sealed partial class Fight
    {
        /// <summary>Attacks the participant in slot <paramref name="to"/>; the part is head, torso or limb.</summary>
        public PlayerAction Attack(int to, string part = null)
        {
            return Act(new Order("attack") { To = to, Part = part });
        }

        public PlayerAction AttackCover(int cover)
        {
            return Act(new Order("attack") { C = cover });
        }

        public PlayerAction AttackHazard(int hazard)
        {
            return Act(new Order("attack") { Z = hazard });
        }

        public PlayerAction Defend()
        {
            return Act(new Order("defend"));
        }

        /// <summary>Uses an ability, by its place in the rules, on a participant or on nothing.</summary>
        public PlayerAction Ability(int ability, int? to = null)
        {
            return Act(new Order("ability") { A = ability, To = to });
        }

        /// <summary>Uses an ability at a place.</summary>
        public PlayerAction AbilityAt(int ability, double x, double y)
        {
            return Act(new Order("ability") { A = ability, X = Round(x), Y = Round(y) });
        }

        /// <summary>Uses an item, by its place in the rules' abilities.</summary>
        public PlayerAction Item(int item, int? to = null)
        {
            return Act(new Order("item_use") { A = item, To = to });
        }

        public PlayerAction ItemAt(int item, double x, double y)
        {
            return Act(new Order("item_use") { A = item, X = Round(x), Y = Round(y) });
        }

        /// <summary>Says where the player is now, in centimetres.</summary>
        public PlayerAction Move(double x, double y)
        {
            return Act(new Order("move") { X = Round(x), Y = Round(y) });
        }

        /// <summary>The same, with which way it faces in degrees and how fast it goes, for those who draw it.</summary>
        public PlayerAction Move(double x, double y, double f, double vx, double vy)
        {
            var order = new Order("move") { X = Round(x), Y = Round(y), F = (Round(f) % 360 + 360) % 360 };
            // Toward zero: never faster than one is.
            var moves = (int)vx != 0 || (int)vy != 0;
            if (moves)
            {
                order.Vx = (int)vx;
                order.Vy = (int)vy;
            }
            return Act(order);
        }

        private static int Round(double value)
        {
            return (int)Math.Floor(value + 0.5);
        }
    }
}

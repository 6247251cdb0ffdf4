using System;

namespace Tiltyard
{
    /// <summary>Where somebody was told to be at a session time, how it faced and how it moved.</summary>
    internal struct Mark
    {
        /// <summary>Who moves on is drawn further for as long as this after the last place that was told.</summary>
        private const double AheadMs = 250;

        private readonly int x;
        private readonly int y;
        private readonly int f;
        private readonly int vx;
        private readonly int vy;

        public Mark(Participant who, long at)
        {
            At = at;
            x = who.X;
            y = who.Y;
            f = who.F;
            vx = who.Vx;
            vy = who.Vy;
        }

        public long At { get; set; }

        public bool Moves { get { return vx != 0 || vy != 0; } }

        public Place Place { get { return new Place(x, y, f); } }

        /// <summary>Where one is whose next place is not told yet.</summary>
        public Place Beyond(double at)
        {
            var seconds = Math.Max(0, Math.Min(at - At, AheadMs)) / 1000;
            return new Place(x + vx * seconds, y + vy * seconds, f);
        }

        /// <summary>
        /// Where one is on the way to the next mark: straight and evenly, or, where a velocity is told, on a curve that has it at
        /// its ends.
        /// </summary>
        public Place Toward(Mark next, double at)
        {
            var seconds = (next.At - At) / 1000.0;
            var share = (at - At) / (next.At - At);
            var facing = Turned(f, next.f, share);
            if (!Moves && !next.Moves)
            {
                return new Place(x + (next.x - x) * share, y + (next.y - y) * share, facing);
            }
            return new Place(
                Cubic(share, x, next.x, vx * seconds, next.vx * seconds), Cubic(share, y, next.y, vy * seconds, next.vy * seconds), facing);
        }

        /// <summary>
        /// A cubic Hermite curve with these slopes at its ends. They are bounded as Fritsch and Carlson have it, so that it never
        /// leaves the way between the two values: nobody is drawn where it cannot have been.
        /// </summary>
        private static double Cubic(double share, double from, double to, double leaves, double arrives)
        {
            var way = to - from;
            var square = share * share;
            var cube = square * share;
            return from + way * (3 * square - 2 * cube) + Bounded(leaves, way) * (cube - 2 * square + share)
                + Bounded(arrives, way) * (cube - square);
        }

        private static double Bounded(double slope, double way)
        {
            return way > 0 ? Math.Min(3 * way, Math.Max(0, slope)) : Math.Max(3 * way, Math.Min(0, slope));
        }

        /// <summary>Between two directions, by the shorter way.</summary>
        private static double Turned(int from, int to, double share)
        {
            var turn = (to - from + 540) % 360 - 180;
            return (from + turn * share + 360) % 360;
        }
    }
}

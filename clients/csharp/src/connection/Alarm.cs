using System;

namespace Tiltyard
{
    /// <summary>
    /// One thing that is to be done at a time; setting it again replaces it. It is done by <see cref="Ring"/>, not by
    /// itself.
    /// </summary>
    internal sealed class Alarm
    {
        private readonly GameWorld world;
        private double due = double.PositiveInfinity;
        private Action action;

        public Alarm(GameWorld world)
        {
            this.world = world;
        }

        public void Set(double ms, Action what)
        {
            due = world.Now() + ms;
            action = what;
        }

        public void Stop()
        {
            due = double.PositiveInfinity;
            action = null;
        }

        /// <summary>Does what is due.</summary>
        public void Ring(double now)
        {
            if (now >= due)
            {
                var what = action;
                Stop();
                what();
            }
        }
    }
}

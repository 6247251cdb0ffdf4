using System;

namespace Tiltyard
{
    /// <summary>
    /// Session time: it goes with the server's clock, at a difference that every message tells, and stands still in a
    /// pause.
    /// </summary>
    public sealed class SessionClock
    {
        private readonly ServerClock server;
        private bool known;
        private bool running = true;
        private long at;
        private long time;

        public SessionClock(ServerClock server)
        {
            this.server = server;
        }

        /// <summary>
        /// It was session time <paramref name="at"/> when the server's clock said <paramref name="time"/>.
        /// </summary>
        public void Set(long at, long time)
        {
            known = true;
            this.at = at;
            this.time = time;
        }

        /// <summary>The same, with whether time passes after that.</summary>
        public void Set(long at, long time, bool running)
        {
            Set(at, time);
            this.running = running;
        }

        /// <summary>Session time at local time <paramref name="now"/>; 0 before any message.</summary>
        public double At(double now)
        {
            var offset = server.Offset;
            return known && running && offset.HasValue ? Math.Max(at, at + now + offset.Value - time) : at;
        }
    }
}

using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>How long to wait before the next try to connect, and when to give up.</summary>
    internal sealed class Comeback
    {
        /// <summary>After a connection that lasted this long the delays start anew.</summary>
        private const double StableMs = 5000;
        /// <summary>How long the server remembers whom it had to close with 4429.</summary>
        private const double FloodsMs = 600000;

        private readonly GameWorld world;
        private readonly double giveUpMs;
        private readonly List<double> floods = new List<double>();
        private int attempt;
        private double? openSince;
        private double? downSince;

        public Comeback(GameWorld world, double giveUpMs)
        {
            this.world = world;
            this.giveUpMs = giveUpMs;
        }

        /// <summary>It is tried for the first time, or again because somebody asked for it.</summary>
        public void Start()
        {
            attempt = 0;
            downSince = world.Now();
        }

        /// <summary>The socket is open.</summary>
        public void Opened()
        {
            openSince = world.Now();
        }

        /// <summary>A session was joined: the server is there.</summary>
        public void Joined()
        {
            downSince = null;
        }

        /// <summary>
        /// How long to wait after a connection that ended with <paramref name="code"/>; <c>null</c> where it was tried
        /// for long enough.
        /// </summary>
        public double? After(int code)
        {
            var now = world.Now();
            if (now - openSince > StableMs)
            {
                attempt = 0;
            }
            openSince = null;
            downSince = downSince ?? now;
            if (now - downSince > giveUpMs)
            {
                return null;
            }
            var tries = code == CloseCodes.Flooded ? Math.Max(attempt, Flooded(now)) : attempt;
            attempt += 1;
            return CloseCodes.DelayMs(code, tries, world.Dice());
        }

        /// <summary>
        /// How often the server has closed with 4429 before this time; with each it waits for twice as long.
        /// </summary>
        private int Flooded(double now)
        {
            floods.RemoveAll(at => now - at >= FloodsMs);
            floods.Add(now);
            return floods.Count - 1;
        }
    }
}

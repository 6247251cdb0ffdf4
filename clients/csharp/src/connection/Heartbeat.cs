using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>Pings: they keep the connection, tell the time, and find out that nobody is there any more.</summary>
    internal sealed class Heartbeat
    {
        private const double EveryMs = 2000;
        /// <summary>The first ones come quickly, so that the time is known soon.</summary>
        private const double FirstMs = 300;
        private const int First = 5;
        /// <summary>
        /// One that is not answered within this says that the connection is dead, whatever the socket says.
        /// </summary>
        private const double SilenceMaxMs = 8000;

        private readonly GameWorld world;
        private readonly ServerClock clock;
        private readonly Action<long> ping;
        private readonly Action dead;
        private readonly Alarm alarm;
        private readonly Queue<Sent> sent = new Queue<Sent>();
        private long serial;
        private int count;
        private double everyMs = EveryMs;

        private struct Sent
        {
            public long N;
            public double At;
        }

        /// <summary>
        /// <paramref name="ping"/> sends one with this number; <paramref name="dead"/> is called when nobody answers.
        /// </summary>
        public Heartbeat(GameWorld world, ServerClock clock, Action<long> ping, Action dead)
        {
            this.world = world;
            this.clock = clock;
            this.ping = ping;
            this.dead = dead;
            alarm = new Alarm(world);
        }

        /// <summary>
        /// Beats from now on, and often enough for a server that closes what it does not hear for so long.
        /// </summary>
        public void Start(double idleMs)
        {
            everyMs = idleMs > 0 ? Math.Min(EveryMs, Math.Max(100, idleMs / 3)) : EveryMs;
            if (count == 0)
            {
                Beat();
            }
        }

        public void Stop()
        {
            alarm.Stop();
            sent.Clear();
            count = 0;
        }

        public void Ring(double now)
        {
            alarm.Ring(now);
        }

        /// <summary>Takes a pong that came at <paramref name="now"/>.</summary>
        public void Pong(Pong pong, double now)
        {
            while (sent.Count > 0 && sent.Peek().N <= pong.N)
            {
                var one = sent.Dequeue();
                if (one.N == pong.N)
                {
                    clock.Pong(one.At, now, pong.Time);
                }
            }
        }

        private void Beat()
        {
            var now = world.Now();
            if (sent.Count > 0 && now - sent.Peek().At > SilenceMaxMs)
            {
                dead();
                return;
            }
            serial += 1;
            count += 1;
            sent.Enqueue(new Sent { N = serial, At = now });
            ping(serial);
            alarm.Set(count < First ? Math.Min(FirstMs, everyMs) : everyMs, Beat);
        }
    }
}

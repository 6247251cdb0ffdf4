using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// The server's clock. Pongs tell it: it was read about the middle of the way there and back. Local times are
    /// milliseconds that never go back.
    /// </summary>
    public sealed class ServerClock
    {
        /// <summary>Pongs that count: few enough to follow a clock that drifts.</summary>
        private const int SamplesMax = 15;
        private readonly Queue<Sample> samples = new Queue<Sample>();

        /// <summary>
        /// The least that the server's clock can be ahead, by messages that came: used until the first pong.
        /// </summary>
        private double? least;

        private struct Sample
        {
            public double Offset;
            public double Trip;
        }

        /// <summary>
        /// What the server's clock (Unix milliseconds) is ahead of the local one; <c>null</c> before any message.
        /// </summary>
        public double? Offset { get; private set; }

        /// <summary>How long a message is on its way, in milliseconds; <c>null</c> before the first pong.</summary>
        public double? Latency { get; private set; }

        /// <summary>
        /// A ping left at <paramref name="sent"/>, and its pong with the server's time came at <paramref
        /// name="received"/>.
        /// </summary>
        public void Pong(double sent, double received, long time)
        {
            samples.Enqueue(new Sample { Offset = time - (sent + received) / 2, Trip = received - sent });
            if (samples.Count > SamplesMax)
            {
                samples.Dequeue();
            }
            // Slow ways are seldom equally slow both ways: only the quicker half is believed.
            var trips = new List<double>();
            foreach (var sample in samples) trips.Add(sample.Trip);
            var trip = Median(trips);
            var offsets = new List<double>();
            foreach (var sample in samples)
            {
                if (sample.Trip <= trip) offsets.Add(sample.Offset);
            }
            Offset = Median(offsets);
            Latency = trip / 2;
        }

        /// <summary>A message with the server's time came at <paramref name="received"/>.</summary>
        public void Heard(double received, long time)
        {
            least = Math.Max(least ?? double.MinValue, time - received);
            if (samples.Count == 0)
            {
                Offset = least;
            }
        }

        private static double Median(List<double> values)
        {
            values.Sort();
            var middle = values.Count / 2;
            return values.Count % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
        }
    }
}

using System;
using System.Diagnostics;

namespace Tiltyard
{
    /// <summary>What a connection needs of the world around it; handed in, so that a test can play all of it.</summary>
    public sealed class GameWorld
    {
        private static readonly Stopwatch Watch = Stopwatch.StartNew();
        private static readonly Random Chance = new Random(Guid.NewGuid().GetHashCode());

        public GameWorld()
        {
            NewTransport = () => new ClientWebSocketTransport();
            Now = () => Watch.Elapsed.TotalMilliseconds;
            Dice = Chance.NextDouble;
        }

        /// <summary>Makes a transport for one connection.</summary>
        public Func<ITransport> NewTransport { get; set; }

        /// <summary>Local milliseconds, which never go back.</summary>
        public Func<double> Now { get; set; }

        /// <summary>Between 0 and 1.</summary>
        public Func<double> Dice { get; set; }
    }
}

using System;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>
    /// A player session: the player's presence, which ends by itself unless somebody says often enough that the player is there.
    /// For as long as it is open it says so, in each third of what is left of it.
    /// </summary>
    public sealed class Pulse : Membership
    {
        /// <summary>No server needs to hear it more often.</summary>
        private const double LeastMs = 1000;
        private readonly Requests requests = new Requests();
        private readonly Alarm alarm;

        private Pulse(string session, Connection connection) : base(session, connection)
        {
            alarm = new Alarm(connection.World);
            connection.Add(this);
        }

        /// <summary>Connects and joins the player session; comes back by itself.</summary>
        public static Pulse Connect(string session, ConnectionOptions options)
        {
            return new Pulse(session, new Connection(options));
        }

        /// <summary>Joins the player session over a connection that there is.</summary>
        public static Pulse Join(string session, Connection connection)
        {
            return new Pulse(session, connection);
        }

        public event Action<Joined> OnJoined;

        /// <summary>The presence lasts until then, in the server's Unix milliseconds, unless it hears another beat.</summary>
        public event Action<long> OnBeat;

        /// <summary>When the presence ends without another beat, in the server's Unix milliseconds; 0 until that is known.</summary>
        public long ExpiresAt { get; private set; }

        internal override string Kind { get { return "player"; } }

        /// <summary>Says now that the player is there. The task never fails.</summary>
        public Task<Answer> Beat()
        {
            return requests.Ask(id => Handle.HasValue && Connection.Send(new Message("beat").With("s", Handle).With("id", id)));
        }

        internal override Message Joining()
        {
            return new Message("join").With("session", Session);
        }

        internal override void Take(object message)
        {
            var joined = message as Joined;
            var ack = message as Ack;
            var refused = message as Refused;
            if (joined != null)
            {
                Stands(true);
                Connection.Tell(OnJoined, joined);
                Last(joined.ExpiresAt ?? 0);
            }
            else if (requests.Take(message))
            {
                if (ack != null && ack.ExpiresAt.HasValue) Last(ack.ExpiresAt.Value);
                else if (refused != null && refused.RetryMs.HasValue) Next(refused.RetryMs.Value);
            }
        }

        internal override void Out()
        {
            alarm.Stop();
            requests.End();
        }

        internal override void Ring(double now)
        {
            alarm.Ring(now);
        }

        private void Last(long until)
        {
            ExpiresAt = until;
            Next((until - Connection.World.Now() - (Connection.Clock.Offset ?? 0)) / 3);
            Connection.Tell(OnBeat, until);
        }

        private void Next(double ms)
        {
            if (Handle.HasValue)
            {
                alarm.Set(Math.Max(LeastMs, ms), () => Beat());
            }
        }
    }
}

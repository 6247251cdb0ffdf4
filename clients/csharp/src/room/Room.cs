using System;
using System.Linq;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>
    /// A custom session as one of its members has it: its state, which any of them may change, what they say to each other, and
    /// who is there.
    /// </summary>
    public sealed class Room : Membership
    {
        private readonly Requests requests = new Requests();

        private Room(string session, Connection connection) : base(session, connection)
        {
            Members = Here = new string[0];
            connection.Add(this);
        }

        /// <summary>Connects and joins the custom session; comes back by itself.</summary>
        public static Room Connect(string session, ConnectionOptions options)
        {
            return new Room(session, new Connection(options));
        }

        /// <summary>Joins a custom session over a connection that there is.</summary>
        public static Room Join(string session, Connection connection)
        {
            return new Room(session, connection);
        }

        public event Action<Joined> OnJoined;

        /// <summary>The state is another one; <see cref="Before"/> is the one before it.</summary>
        public event Action<StateChange> OnState;
        public event Action<Relayed> OnRelayed;
        public event Action<Presence> OnPresence;

        /// <summary>What members said while this one was slow.</summary>
        public event Action<MissedRelays> OnMissed;

        /// <summary>
        /// The whole state: <c>null</c>, <c>bool</c>, <c>long</c>, <c>double</c>, <c>string</c>, <c>List&lt;object&gt;</c> or
        /// <c>Dictionary&lt;string, object&gt;</c>. It is the server's to change.
        /// </summary>
        public object State { get; private set; }

        /// <summary>The state before the change that is being told of.</summary>
        public object Before { get; private set; }

        /// <summary>Which of its versions the state is.</summary>
        public long Version { get; private set; }

        /// <summary>Who belongs to it, and who of them is connected.</summary>
        public string[] Members { get; private set; }
        public string[] Here { get; private set; }

        internal override string Kind { get { return "custom"; } }

        /// <summary>
        /// Changes the state by a JSON merge patch: what is named gets this value, what is <c>null</c> is removed, all else stays.
        /// With <paramref name="expected"/> only where the state still has that version; else it is refused as
        /// <c>version_conflict</c>, with the newest. The task never fails.
        /// </summary>
        public Task<Answer> Patch(object merge, long? expected = null)
        {
            return Ask(new Message("patch"), message => message.With("merge", merge).With("if", expected));
        }

        /// <summary>Says something to all other members who are there, or to one. It is not kept. The task never fails.</summary>
        public Task<Answer> Relay(object data, string to = null)
        {
            return Ask(new Message("relay"), message => message.With("data", data ?? Message.Null).With("to", to));
        }

        internal override Message Joining()
        {
            return new Message("join").With("session", Session);
        }

        internal override void Take(object message)
        {
            var joined = message as Joined;
            var change = message as StateChange;
            var relayed = message as Relayed;
            var presence = message as Presence;
            var missed = message as MissedRelays;
            if (requests.Take(message)) return;
            if (joined != null) Enter(joined);
            else if (change != null) Change(change);
            else if (relayed != null) Connection.Tell(OnRelayed, relayed);
            else if (presence != null) Move(presence);
            else if (missed != null) Connection.Tell(OnMissed, missed);
        }

        internal override void Out()
        {
            requests.End();
        }

        private Task<Answer> Ask(Message message, Func<Message, Message> fill)
        {
            return requests.Ask(id => Handle.HasValue && Connection.Send(fill(message.With("s", Handle).With("id", id))));
        }

        private void Enter(Joined joined)
        {
            State = joined.State;
            Version = joined.Version ?? 0;
            Members = joined.Members;
            Here = joined.Here;
            Stands(true);
            Connection.Tell(OnJoined, joined);
        }

        /// <summary>Takes the next change, or the whole state in place of several; an older one says nothing new.</summary>
        private void Change(StateChange change)
        {
            if (!Current || change.Version <= Version)
            {
                return;
            }
            if (!change.IsWhole && change.Version != Version + 1)
            {
                // One is missing: what answers a join has the whole again.
                Stands(false);
                JoinAgain();
                return;
            }
            Before = State;
            if (change.IsWhole) State = change.State;
            else if (change.Merge != null) State = MergePatch.Merged(State, change.Merge);
            Version = change.Version;
            Members = change.Members ?? Members;
            Here = change.Here ?? Here;
            Connection.Tell(OnState, change);
        }

        private void Move(Presence presence)
        {
            var others = Here.Where(one => one != presence.Player);
            var gone = presence.Why == "lost" || presence.Why == "left";
            Here = (gone ? others : others.Concat(new[] { presence.Player })).ToArray();
            Connection.Tell(OnPresence, presence);
        }
    }
}

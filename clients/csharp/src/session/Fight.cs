using System;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>
    /// A combat session as its player has it: the view with its sequence, what may be done in it, and what happens.
    /// </summary>
    public sealed partial class Fight : Membership
    {
        /// <summary>How far in the past the others are drawn: two places of theirs should be known there.</summary>
        private const double DrawnMs = 150;

        private readonly Actions actions = new Actions();
        private readonly SessionClock clock;
        private readonly Interpolator others = new Interpolator();
        private readonly Predictor own = new Predictor();
        private TaskCompletionSource<Result> over = new TaskCompletionSource<Result>();
        /// <summary>
        /// Whether the view was the server's at its sequence: one that had another digest is not to be gone on from.
        /// </summary>
        private bool sound = true;
        /// <summary>
        /// Whether the server may not have what was sent: the connection is another one than it was sent on.
        /// </summary>
        private bool unsure;
        private bool readyWanted;

        private Fight(string session, Connection connection) : base(session, connection)
        {
            clock = new SessionClock(connection.Clock);
            Slot = Team = -1;
            connection.Add(this);
        }

        /// <summary>
        /// Connects and joins <paramref name="session"/>; comes back by itself, and tells of everything by events.
        /// </summary>
        public static Fight Connect(string session, ConnectionOptions options)
        {
            return new Fight(session, new Connection(options));
        }

        /// <summary>Joins another session of the player over a connection that there is.</summary>
        public static Fight Join(string session, Connection connection)
        {
            return new Fight(session, connection);
        }

        public event Action<Joined> OnJoined;
        public event Action<Snapshot> OnSnapshot;

        /// <summary>The view shows it already; <see cref="Before"/> is the one before it.</summary>
        public event Action<Delta> OnDelta;

        /// <summary>Each event of each delta, in order.</summary>
        public event Action<FightEvent> OnEvent;
        public event Action<Ack> OnAck;
        public event Action<Refused> OnRefused;
        public event Action<Forgotten> OnForgotten;

        /// <summary>Events that were left out.</summary>
        public event Action<Missed> OnMissed;

        /// <summary>
        /// The server's log was set back: what was shown after the next snapshot's sequence has not happened.
        /// </summary>
        public event Action<Notice> OnRolledBack;

        /// <summary>The view was not the server's; another is on its way.</summary>
        public event Action<Drift> OnDrift;
        public event Action<Result> OnResult;

        /// <summary>What the player is shown; <c>null</c> until it has joined.</summary>
        public View View { get; private set; }

        /// <summary>The view before the delta that is being told of.</summary>
        public View Before { get; private set; }

        /// <summary>The sequence and session time of the view, and how often the session has changed hands.</summary>
        public long? Seq { get; private set; }
        public long At { get; private set; }
        public long? Epoch { get; private set; }

        /// <summary>One's own; -1 until it has joined.</summary>
        public int Slot { get; private set; }
        public int Team { get; private set; }
        public Rules Rules { get; private set; }
        public Timers Timers { get; private set; }

        /// <summary>The highest id of one's own action that the view shows.</summary>
        public long Applied { get; private set; }

        /// <summary>How it ended; <c>null</c> until it has.</summary>
        public Result Outcome { get; private set; }

        /// <summary>The result, or <c>null</c> where the session is closed without one.</summary>
        public Task<Result> Ended { get { return over.Task; } }

        /// <summary>Oneself; <c>null</c> where one is not in the view.</summary>
        public Participant Me
        {
            get { return View != null && Slot >= 0 && Slot < View.Participants.Length ? View.Participants[Slot] : null; }
        }

        /// <summary>
        /// How fast one is now, in centimetres a second, with what effects and modifiers make of it; <c>null</c> where that is not known yet.
        /// </summary>
        public long? Speed
        {
            get
            {
                if (Me == null || Rules == null) return null;
                long percent = 100;
                foreach (var effect in Me.Effects) percent += SpeedChange(effect.Of) * effect.Count;
                foreach (var effect in View.Modifiers) percent += SpeedChange(effect);
                return Rules.SpeedCmPerS * Math.Max(percent, 0) / 100;
            }
        }

        private long SpeedChange(int effect)
        {
            int percent;
            var known = effect >= 0 && effect < Rules.Effects.Length;
            return known && Rules.Effects[effect].Changes.TryGetValue("speed", out percent) ? percent : 0;
        }

        /// <summary>The digest of the view, as the server would have it.</summary>
        public uint? ViewDigest
        {
            get { return View == null ? (uint?)null : Digest.Of(View); }
        }

        /// <summary>Actions that have no answer yet.</summary>
        public PlayerAction[] Pending { get { return actions.Pending; } }

        /// <summary>Session time now, as well as it is known.</summary>
        public double Now()
        {
            return clock.At(Connection.World.Now());
        }

        /// <summary>
        /// Where to draw the participant in <paramref name="slot"/>; <c>null</c> where it is not seen: oneself where one has gone
        /// already, the others where they were a moment ago.
        /// </summary>
        public Place? Place(int slot)
        {
            return Place(slot, Now() - DrawnMs);
        }

        /// <summary>The same, the others where they were at session time <paramref name="at"/>.</summary>
        public Place? Place(int slot, double at)
        {
            var known = View != null && slot >= 0 && slot < View.Participants.Length;
            if (!known || View.Participants[slot].Hidden)
            {
                return null;
            }
            var shown = View.Participants[slot];
            return slot == Slot ? own.Place(new Place(shown.X, shown.Y, shown.F)) : others.Place(slot, at);
        }

        /// <summary>Says that the player is ready, now or as soon as that can be said.</summary>
        public void Ready()
        {
            readyWanted = true;
            SayReady();
        }

        /// <summary>Gives the seat up for good.</summary>
        public void Concede()
        {
            Say("concede");
        }

        /// <summary>
        /// Does what is ordered, exactly once: where the connection is lost before there is an answer it is sent again on the next
        /// one. What cannot be sent at all is refused at once, with <c>offline</c> or <c>window_full</c>.
        /// </summary>
        public PlayerAction Act(Order order)
        {
            var action = Status == Status.Live ? actions.Begin(order) : PlayerAction.Unsent(order, "offline");
            if (action.Id != 0)
            {
                Send(action);
            }
            return action;
        }

        /// <summary>
        /// Sends an action again that was refused with <c>retry_ms</c>, under the same id. Says whether it could.
        /// </summary>
        public bool Again(PlayerAction action)
        {
            if (Status != Status.Live || !actions.Again(action))
            {
                return false;
            }
            Send(action);
            return true;
        }

        private void Send(PlayerAction action)
        {
            var order = action.Order;
            var shown = Me;
            if (order.Kind == "move" && order.X.HasValue && order.Y.HasValue && shown != null)
            {
                own.Go(action.Id, order.X.Value, order.Y.Value, order.F, new Place(shown.X, shown.Y, shown.F));
            }
            Repeat(action);
        }

        private void Repeat(PlayerAction action)
        {
            if (Handle.HasValue)
            {
                Connection.Send(action.Order.Say(Handle.Value, action.Id));
            }
        }

        private void SayReady()
        {
            if (readyWanted && Current && View.Phase.Name == "preparation" && Me != null && !Me.Ready)
            {
                Say("ready");
            }
        }
    }
}

using System;

namespace Tiltyard
{
    /// <summary>Where a session is, as its player has it.</summary>
    public enum Status
    {
        Connecting,
        Joining,
        /// <summary>What is here is the server's.</summary>
        Live,
        /// <summary>For the next try to connect.</summary>
        Waiting,
        /// <summary>For good.</summary>
        Closed,
    }

    /// <summary>
    /// A session of a connection. It joins, and joins again, by itself; whoever uses it need not know when.
    /// </summary>
    public abstract class Membership
    {
        /// <summary>What has drifted is asked for again, at most this often.</summary>
        private const double AgainMs = 1000;
        private double joinedAt = double.NegativeInfinity;

        internal Membership(string session, Connection connection)
        {
            Session = session;
            Connection = connection;
            Status = Status.Connecting;
        }

        /// <summary>Its id.</summary>
        public string Session { get; private set; }

        public Connection Connection { get; private set; }

        public Status Status { get; private set; }

        /// <summary>Why it is closed, once it is; <c>null</c> before.</summary>
        public Closing Closing { get; private set; }

        public event Action<Status> OnStatus;

        /// <summary>One is out of the session.</summary>
        public event Action<Left> OnLeft;

        /// <summary>An <c>error</c> that is not known to be another session's.</summary>
        public event Action<Notice> OnError;
        public event Action<Renewed> OnRenewed;

        /// <summary>It does not come back.</summary>
        public event Action<Closing> OnClosed;

        /// <summary>The session's handle while it is joined.</summary>
        internal long? Handle { get; private set; }

        /// <summary>Whether what is here is the server's, so that it needs no <c>join</c>.</summary>
        internal bool Current { get; private set; }

        /// <summary>
        /// Does all there is to do, for the other sessions of the connection too. To be called from the game's loop,
        /// every frame.
        /// </summary>
        public void Update()
        {
            Connection.Update();
        }

        /// <summary>Stops receiving the session; what the player has in it is kept for a while.</summary>
        public void Leave()
        {
            Say("leave");
        }

        /// <summary>Leaves, and closes the connection if it is in no other session.</summary>
        public void Close()
        {
            if (Closing == null)
            {
                Leave();
                Connection.Remove(this);
                Shut(new Closing(CloseCodes.Normal, CloseCodes.Because(CloseCodes.Normal)));
            }
        }

        /// <summary>Joins again what was closed, as after a newer connection had taken its place.</summary>
        public void Reopen()
        {
            if (Closing != null)
            {
                Closing = null;
                Reopened();
                Connection.Add(this);
            }
        }

        /// <summary>The type of its session.</summary>
        internal abstract string Kind { get; }

        /// <summary>What it says to join.</summary>
        internal abstract Message Joining();

        /// <summary>
        /// Takes a message of the session. After <c>joined</c> it says by <see cref="Stands"/> whether it has what the
        /// server has.
        /// </summary>
        internal abstract void Take(object message);

        /// <summary>Out of the session, perhaps for a while: what was sent may not have arrived.</summary>
        internal abstract void Out();

        /// <summary>Closed: no answer can come any more.</summary>
        internal virtual void Over()
        {
        }

        internal virtual void Reopened()
        {
        }

        /// <summary>Does what is due.</summary>
        internal virtual void Ring(double now)
        {
        }

        internal virtual void Noticed(Notice notice)
        {
            Connection.Tell(OnError, notice);
        }

        internal void Renewed(Renewed renewed)
        {
            Connection.Tell(OnRenewed, renewed);
        }

        internal void Receive(object message, double now)
        {
            var left = message as Left;
            if (left != null)
            {
                Expelled(left);
                return;
            }
            var joined = message as Joined;
            if (joined != null && joined.Type != Kind)
            {
                Noticed(new Notice("wrong_type", "the session is no " + Kind + " session"));
                Close();
                return;
            }
            if (joined != null)
            {
                Handle = joined.S;
                joinedAt = now;
                Current = false;
            }
            Take(message);
        }

        /// <summary>The connection's state is another one.</summary>
        internal void Linked()
        {
            if (Connection.State != ConnectionState.Open)
            {
                Away();
            }
            Stand();
        }

        /// <summary>It is out of the session for good.</summary>
        internal void Shut(Closing closing)
        {
            if (Closing != null)
            {
                return;
            }
            Away();
            Closing = closing;
            Stand();
            Over();
            Connection.Tell(OnClosed, closing);
        }

        /// <summary>What is here is the server's, or is not any more.</summary>
        internal void Stands(bool current)
        {
            Current = current;
            Stand();
        }

        /// <summary>Joins again over the same connection, as soon as that may be asked.</summary>
        internal void JoinAgain()
        {
            var passed = Connection.World.Now() - joinedAt;
            Connection.Rejoin(this, Math.Max(0, AgainMs - passed));
        }

        /// <summary>Says what needs nothing but the session.</summary>
        internal void Say(string type)
        {
            if (Handle.HasValue)
            {
                Connection.Send(new Message(type).With("s", Handle));
            }
        }

        private void Away()
        {
            Handle = null;
            Current = false;
            Out();
        }

        private void Expelled(Left left)
        {
            Away();
            Connection.Tell(OnLeft, left);
            Connection.Expelled(this, CloseCodes.OfLeft(left.Why));
            Stand();
        }

        private void Stand()
        {
            var status = StatusNow();
            if (status != Status)
            {
                Status = status;
                Connection.Tell(OnStatus, status);
            }
        }

        private Status StatusNow()
        {
            if (Closing != null)
            {
                return Status.Closed;
            }
            switch (Connection.State)
            {
                case ConnectionState.Open: return Current ? Status.Live : Status.Joining;
                case ConnectionState.Waiting: return Status.Waiting;
                case ConnectionState.Connecting: return Status.Connecting;
                default: return Status.Closed;
            }
        }
    }
}

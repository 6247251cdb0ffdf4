using System;
using System.Collections.Generic;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>Where a connection is.</summary>
    public enum ConnectionState { Closed, Connecting, Open, Waiting }

    /// <summary>
    /// One connection, and the way back after a loss: opens the socket with a fresh ticket, has its sessions join, hands in new
    /// credentials, and comes back by itself for as long as the close code allows. Everything happens in <see cref="Update"/>.
    /// </summary>
    public sealed partial class Connection
    {
        private const double OpenMaxMs = 10000;
        /// <summary>Where a <c>join</c> was too soon, and nothing says when it will not be.</summary>
        private const double RetryMs = 1000;

        private readonly ConnectionOptions options;
        private readonly Reader reader;
        private readonly Writer writer;
        private readonly Comeback comeback;
        private readonly Heartbeat heartbeat;
        private readonly Joins joins;
        private readonly Alarm dialing;
        private readonly Alarm renewal;
        private readonly List<Membership> members = new List<Membership>();
        private readonly Dictionary<long, Membership> handles = new Dictionary<long, Membership>();
        private readonly Failures failures = new Failures();
        private ITransport transport;
        private bool opened;
        private bool updating;
        private Task<Door> door;
        private string url;

        public Connection(ConnectionOptions options)
        {
            this.options = options;
            World = options.World;
            Clock = new ServerClock();
            Why = CloseCodes.Because(CloseCodes.Normal);
            url = options.Url;
            reader = options.Codec.NewReader();
            writer = options.Codec.NewWriter();
            dialing = new Alarm(World);
            renewal = new Alarm(World);
            comeback = new Comeback(World, options.GiveUpMs);
            heartbeat = new Heartbeat(World, Clock, Ping, () => Lost(CloseCodes.Lost));
            joins = new Joins(World, member => Send(member.Joining()), () => Lost(CloseCodes.Lost));
        }

        /// <summary>What time it is at the server, and how far away that is.</summary>
        public ServerClock Clock { get; private set; }

        public ConnectionState State { get; private set; }

        /// <summary>Why it waits or is closed, as a code and for a person.</summary>
        public int Code { get; private set; }
        public string Why { get; private set; }

        internal GameWorld World { get; private set; }

        /// <summary>
        /// Does all there is to do: to be called from the game's loop, every frame. Everything that is told is told in here, on
        /// this thread. What a listener threw is thrown once all have heard.
        /// </summary>
        public void Update()
        {
            // A listener that calls it again is in it already.
            if (updating)
            {
                return;
            }
            updating = true;
            try
            {
                Turn();
            }
            finally
            {
                updating = false;
            }
            failures.Throw();
        }

        /// <summary>Tries at once instead of waiting, for when there is reason to think that it will do now.</summary>
        public void Hasten()
        {
            if (State == ConnectionState.Waiting)
            {
                Dial();
            }
        }

        /// <summary>Has it join, over the socket that there is or the next one.</summary>
        internal void Add(Membership member)
        {
            members.Add(member);
            if (State == ConnectionState.Closed)
            {
                comeback.Start();
                Dial();
            }
            else if (State == ConnectionState.Open)
            {
                joins.Want(member);
            }
        }

        /// <summary>Has it join again over the same socket, after so long.</summary>
        internal void Rejoin(Membership member, double ms)
        {
            if (State == ConnectionState.Open)
            {
                joins.WantIn(ms, member);
            }
        }

        /// <summary>It was told that it is out of its session: for good, or to join it again.</summary>
        internal void Expelled(Membership member, int? code)
        {
            Forget(member);
            if (code.HasValue)
            {
                Drop(member, code.Value);
            }
            else
            {
                joins.Want(member);
            }
        }

        /// <summary>Lets it go; the last one closes the connection.</summary>
        internal void Remove(Membership member)
        {
            members.Remove(member);
            Forget(member);
            if (members.Count == 0)
            {
                End(CloseCodes.Normal, CloseCodes.Because(CloseCodes.Normal));
            }
        }

        /// <summary>Says it if there is a socket to say it on.</summary>
        internal bool Send(Message message)
        {
            if (State != ConnectionState.Open)
            {
                return false;
            }
            message.Write(writer);
            transport.Send(writer.Written, options.Codec.Text);
            return true;
        }

        /// <summary>Tells all listeners.</summary>
        internal void Tell<T>(Action<T> listeners, T value)
        {
            failures.Tell(listeners, value);
        }

        private void Turn()
        {
            Poll();
            PollDoor();
            PollCredentials();
            var now = World.Now();
            dialing.Ring(now);
            renewal.Ring(now);
            heartbeat.Ring(now);
            joins.Ring(now);
            for (var place = members.Count - 1; place >= 0; place -= 1)
            {
                // One that rings may have others go.
                if (place < members.Count) members[place].Ring(now);
            }
        }

        private void Dial()
        {
            HangUp();
            Become(ConnectionState.Connecting, 0, "");
            var first = url;
            url = null;
            if (first != null)
            {
                Open(first);
            }
            else if (State == ConnectionState.Connecting)
            {
                door = Ask();
                PollDoor();
            }
        }

        private Task<Door> Ask()
        {
            try
            {
                if (options.Ticket != null)
                {
                    return options.Ticket();
                }
                throw new HubException(401, "unauthorized", "there is no way to get a ticket", null);
            }
            catch (Exception error)
            {
                return Task.FromException<Door>(error);
            }
        }

        private void PollDoor()
        {
            if (door == null || !door.IsCompleted)
            {
                return;
            }
            var answer = door;
            door = null;
            if (answer.Status == TaskStatus.RanToCompletion && answer.Result != null)
            {
                Open(answer.Result.Url);
                return;
            }
            var refused = answer.Exception == null ? null : answer.Exception.GetBaseException() as HubException;
            var code = refused == null ? 0 : CloseCodes.OfRefusedTicket(refused.Status);
            if (code == 0)
            {
                Wait(CloseCodes.Lost, refused == null ? 0 : refused.RetryMs ?? 0);
            }
            else
            {
                End(code, CloseCodes.Because(code));
            }
        }

        private void Open(string address)
        {
            opened = false;
            try
            {
                transport = World.NewTransport();
                transport.Open(new Uri(address), options.Codec.Subprotocol);
            }
            catch (Exception error)
            {
                transport = null;
                End(CloseCodes.Lost, error.Message);
                return;
            }
            dialing.Set(OpenMaxMs, () => Lost(CloseCodes.Lost));
        }

        private void Poll()
        {
            var here = transport;
            if (here == null)
            {
                return;
            }
            // Looked at first: what came before it was closed is received first.
            var state = here.State;
            if (state == TransportState.Open && !opened)
            {
                opened = true;
                Opened();
            }
            Frame frame;
            while (opened && transport == here && here.Receive(out frame)) Received(frame);
            if (state == TransportState.Closed && transport == here)
            {
                Lost(here.CloseCode);
            }
        }

        private void Opened()
        {
            if (transport.Subprotocol != options.Codec.Subprotocol)
            {
                Lost(CloseCodes.OtherProtocol);
                return;
            }
            dialing.Stop();
            comeback.Opened();
            Become(ConnectionState.Open, 0, "");
            foreach (var member in members.ToArray()) joins.Want(member);
        }

        private void Lost(int code)
        {
            if (!CloseCodes.ComesBack(code))
            {
                End(code, CloseCodes.Because(code));
                return;
            }
            HangUp();
            Wait(code, 0);
        }

        private void Wait(int code, double leastMs)
        {
            var delay = comeback.After(code);
            if (!delay.HasValue)
            {
                End(code, CloseCodes.Because(code));
                return;
            }
            dialing.Set(Math.Max(leastMs, delay.Value), Dial);
            Become(ConnectionState.Waiting, code, CloseCodes.Because(code));
        }

        /// <summary>Closes for good, with everybody in it.</summary>
        private void End(int code, string why)
        {
            HangUp();
            var all = members.ToArray();
            members.Clear();
            Become(ConnectionState.Closed, code, why);
            foreach (var member in all) member.Shut(new Closing(code, why));
        }

        /// <summary>Lets go of the socket and of everything that was still to come of it.</summary>
        private void HangUp()
        {
            var before = transport;
            transport = null;
            door = null;
            credentials = null;
            dialing.Stop();
            renewal.Stop();
            heartbeat.Stop();
            joins.Clear();
            handles.Clear();
            renewing = false;
            if (before != null)
            {
                before.Close(CloseCodes.Normal);
            }
        }

        private void Become(ConnectionState state, int code, string why)
        {
            State = state;
            Code = code;
            Why = why;
            foreach (var member in members.ToArray()) member.Linked();
        }
    }
}

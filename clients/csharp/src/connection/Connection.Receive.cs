using System;
using System.Collections.Generic;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <content>What comes over the socket, and to whom it goes.</content>
    public sealed partial class Connection
    {
        private Task<Message> credentials;
        private bool renewing;

        private void Received(Frame frame)
        {
            var now = World.Now() - frame.AgeMs;
            string type = null;
            object message = null;
            try
            {
                if (frame.Text != options.Codec.Text)
                {
                    throw new FormatException("a frame is of the wrong type");
                }
                type = Incoming.Read(reader, frame.Payload, out message);
            }
            catch (FormatException error)
            {
                Tell(new Notice("bad_message", error.Message));
                return;
            }
            switch (type)
            {
                case "joined":
                    Joined((Joined)message, now);
                    break;
                case "error":
                    Refused((Notice)message);
                    break;
                case "expiring":
                    Renew();
                    break;
                case "renewed":
                    renewing = false;
                    foreach (var member in members.ToArray()) member.Renewed((Renewed)message);
                    break;
                default:
                    Pass(message, now);
                    break;
            }
        }

        /// <summary>
        /// Hands a message to the session that it names. What comes for one that was left is nobody's: an action that was refused as
        /// <c>not_joined</c> while the session moved has no answer, and is sent again where it is joined.
        /// </summary>
        private void Pass(object message, double now)
        {
            var pong = message as Pong;
            if (pong != null)
            {
                heartbeat.Pong(pong, now);
            }
            var stamp = Incoming.StampOf(message);
            if (stamp.Time.HasValue)
            {
                Clock.Heard(now, stamp.Time.Value);
            }
            Membership member;
            if (stamp.S.HasValue && handles.TryGetValue(stamp.S.Value, out member))
            {
                member.Receive(message, now);
            }
        }

        private void Joined(Joined joined, double now)
        {
            var member = members.Find(one => one.Session == joined.Session);
            if (member == null)
            {
                return;
            }
            handles[joined.S] = member;
            comeback.Joined();
            Clock.Heard(now, joined.Time);
            member.Receive(joined, now);
            if (State == ConnectionState.Open)
            {
                heartbeat.Start(joined.Timers == null ? 0 : joined.Timers.IdleMs);
                joins.Answered(member);
            }
        }

        private void Refused(Notice notice)
        {
            var member = Joining(notice);
            if (member != null)
            {
                JoinRefused(member, notice);
                return;
            }
            if (renewing && (notice.Re ?? "renew") == "renew")
            {
                renewing = false;
                if (notice.RetryMs.HasValue)
                {
                    renewal.Set(notice.RetryMs.Value, Renew);
                }
            }
            Membership other;
            if (notice.S.HasValue && handles.TryGetValue(notice.S.Value, out other))
            {
                other.Noticed(notice);
            }
            else
            {
                Tell(notice);
            }
        }

        /// <summary>
        /// Whose <c>join</c> it is that is refused, if it is one. A server that does not say so means the one without
        /// an answer.
        /// </summary>
        private Membership Joining(Notice notice)
        {
            if ((notice.Re ?? "join") != "join")
            {
                return null;
            }
            return notice.Session == null ? joins.Asked : members.Find(one => one.Session == notice.Session);
        }

        private void JoinRefused(Membership member, Notice notice)
        {
            member.Noticed(notice);
            var code = CloseCodes.OfRefusedJoin(notice.Reason);
            if (code != 0)
            {
                Drop(member, code);
            }
            else if (notice.RetryMs.HasValue || notice.Reason == "already_joined")
            {
                joins.WantIn(notice.RetryMs ?? RetryMs, member);
                joins.Answered(member);
            }
        }

        /// <summary>It is out for good; without any left there is no use in a connection.</summary>
        private void Drop(Membership member, int code)
        {
            if (members.Count == 1)
            {
                End(code, CloseCodes.Because(code));
            }
            else
            {
                members.Remove(member);
                Forget(member);
                member.Shut(new Closing(code, CloseCodes.Because(code)));
            }
        }

        private void Forget(Membership member)
        {
            foreach (var handle in new List<long>(handles.Keys))
            {
                if (handles[handle] == member)
                {
                    handles.Remove(handle);
                }
            }
            joins.Forget(member);
        }

        /// <summary>Asks for the time of one session after the other.</summary>
        private void Ping(long n)
        {
            var turn = handles.Count == 0 ? 0 : n % handles.Count;
            long? s = null;
            foreach (var handle in handles.Keys)
            {
                if (turn == 0)
                {
                    s = handle;
                }
                turn -= 1;
            }
            Send(new Message("ping").With("n", n).With("s", s));
        }

        /// <summary>
        /// Hands in new credentials on the connection that asks for them. Without any it ends when the old ones do.
        /// </summary>
        private void Renew()
        {
            renewing = true;
            credentials = Credentials();
            PollCredentials();
        }

        private async Task<Message> Credentials()
        {
            if (options.Token != null)
            {
                return new Message("renew").With("token", await options.Token());
            }
            var next = await Ask();
            return new Message("renew").With("ticket", next.Renewal);
        }

        private void PollCredentials()
        {
            if (credentials == null || !credentials.IsCompleted)
            {
                return;
            }
            var answer = credentials;
            credentials = null;
            if (answer.Status == TaskStatus.RanToCompletion)
            {
                Send(answer.Result);
                return;
            }
            renewing = false;
            var why = answer.Exception == null ? "" : answer.Exception.GetBaseException().Message;
            Tell(new Notice("unauthorized", why));
        }

        private void Tell(Notice notice)
        {
            foreach (var member in members.ToArray()) member.Noticed(notice);
        }
    }
}

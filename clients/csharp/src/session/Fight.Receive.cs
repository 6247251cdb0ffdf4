using System.Threading.Tasks;

namespace Tiltyard
{
    /// <content>What the server says of the session, and what becomes of it.</content>
    public sealed partial class Fight
    {
        internal override string Kind { get { return "combat"; } }

        internal override Message Joining()
        {
            return new Message("join").With("session", Session).With("seq", sound ? Seq : null).With("epoch", Epoch)
                .With("rules", Rules == null ? null : Rules.Hash);
        }

        internal override void Take(object message)
        {
            var delta = message as Delta;
            var ack = message as Ack;
            var refused = message as Refused;
            var forgotten = message as Forgotten;
            var snapshot = message as Snapshot;
            var joined = message as Joined;
            var result = message as Result;
            var pong = message as Pong;
            if (delta != null) Apply(delta);
            else if (ack != null) Acknowledge(ack);
            else if (refused != null) Refuse(refused);
            else if (forgotten != null) Forget(forgotten);
            else if (snapshot != null) Show(snapshot);
            else if (joined != null) Enter(joined);
            else if (result != null) Finish(result);
            else if (pong != null && pong.At.HasValue) clock.Set(pong.At.Value, pong.Time);
        }

        internal override void Out()
        {
            unsure = true;
        }

        internal override void Over()
        {
            actions.End();
            own.Reset();
            over.TrySetResult(Outcome);
        }

        internal override void Reopened()
        {
            over = new TaskCompletionSource<Result>();
        }

        internal override void Noticed(Notice notice)
        {
            if (notice.Reason == "rolled_back")
            {
                Connection.Tell(OnRolledBack, notice);
            }
            else
            {
                base.Noticed(notice);
            }
        }

        private void Enter(Joined joined)
        {
            Slot = joined.Slot;
            Team = joined.Team;
            Rules = joined.Rules ?? Rules;
            Timers = joined.Timers ?? Timers;
            Epoch = joined.Epoch;
            actions.Joined(joined.LastId);
            clock.Set(joined.At, joined.Time);
            Stands(false);
            Connection.Tell(OnJoined, joined);
            if (unsure && Handle.HasValue)
            {
                unsure = false;
                foreach (var action in actions.Pending) Repeat(action);
            }
            // The view that is here is gone on from; else a snapshot comes.
            if (joined.Resume == "deltas" && sound && View != null && Handle.HasValue)
            {
                Stands(true);
                SayReady();
            }
        }

        private void Show(Snapshot snapshot)
        {
            try
            {
                View = Views.Of(snapshot);
            }
            catch (Drift drift)
            {
                Drifted(drift);
                return;
            }
            Seq = snapshot.Q;
            Epoch = snapshot.Epoch;
            Shows(snapshot.At, snapshot.Time, snapshot.Id);
            others.Snapshot(View, snapshot.At);
            sound = true;
            Stands(true);
            if (snapshot.Missed != null)
            {
                Connection.Tell(OnMissed, snapshot.Missed);
            }
            Connection.Tell(OnSnapshot, snapshot);
            SayReady();
        }

        private void Apply(Delta delta)
        {
            if (!Current)
            {
                return;
            }
            var before = View;
            try
            {
                View = Views.After(before, Seq.Value, delta);
            }
            catch (Drift drift)
            {
                Drifted(drift);
                return;
            }
            Before = before;
            Seq = delta.Q;
            others.Delta(delta, View);
            Shows(delta.At, delta.Time, delta.Id);
            Connection.Tell(OnDelta, delta);
            foreach (var happened in delta.Ev) Connection.Tell(OnEvent, happened);
        }

        /// <summary>Takes what snapshots and deltas alike say beside the view.</summary>
        private void Shows(long at, long time, long id)
        {
            At = at;
            Applied = id;
            own.Applied(id);
            clock.Set(at, time, View.Phase.Status != "paused");
        }

        private void Acknowledge(Ack ack)
        {
            if (actions.Close(ack.Id, Answer.Of(ack)))
            {
                Connection.Tell(OnAck, ack);
            }
        }

        private void Refuse(Refused refused)
        {
            if (refused.Id == 0)
            {
                readyWanted = false;
                Connection.Tell(OnRefused, refused);
                return;
            }
            own.Refused(refused.Id);
            if (actions.Close(refused.Id, Answer.Of(refused)))
            {
                Connection.Tell(OnRefused, refused);
            }
        }

        private void Forget(Forgotten forgotten)
        {
            if (forgotten.Applied == false)
            {
                own.Refused(forgotten.Id);
            }
            actions.Joined(forgotten.LastId);
            if (actions.Close(forgotten.Id, Answer.Of(forgotten)))
            {
                Connection.Tell(OnForgotten, forgotten);
            }
        }

        private void Finish(Result result)
        {
            Outcome = result;
            Connection.Tell(OnResult, result);
            over.TrySetResult(result);
        }

        /// <summary>
        /// The view is not the server's any more: a new one is asked for, or, after a gap, what is missing.
        /// </summary>
        private void Drifted(Drift drift)
        {
            sound = sound && drift.Kind == DriftKind.Gap;
            Stands(false);
            Connection.Tell(OnDrift, drift);
            JoinAgain();
        }
    }
}

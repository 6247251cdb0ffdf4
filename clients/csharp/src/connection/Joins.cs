using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// Joins of one connection: one after the other, as an <c>error</c> may not say which <c>join</c> it answers.
    /// </summary>
    internal sealed class Joins
    {
        /// <summary>From a <c>join</c> to its answer.</summary>
        private const double AnswerMaxMs = 10000;

        private readonly GameWorld world;
        private readonly Action<Membership> ask;
        private readonly Action unanswered;
        private readonly Alarm answer;
        private readonly List<Membership> waiting = new List<Membership>();
        private readonly Dictionary<Membership, Alarm> later = new Dictionary<Membership, Alarm>();

        /// <summary>
        /// <paramref name="ask"/> sends a member's <c>join</c>; <paramref name="unanswered"/> is called where nothing
        /// comes of it.
        /// </summary>
        public Joins(GameWorld world, Action<Membership> ask, Action unanswered)
        {
            this.world = world;
            this.ask = ask;
            this.unanswered = unanswered;
            answer = new Alarm(world);
        }

        /// <summary>Whose <c>join</c> has no answer yet.</summary>
        public Membership Asked { get; private set; }

        /// <summary>Has it join as soon as it is its turn.</summary>
        public void Want(Membership member)
        {
            if (Asked != member && !waiting.Contains(member))
            {
                waiting.Add(member);
                Next();
            }
        }

        /// <summary>The same after so long, if it still needs to.</summary>
        public void WantIn(double ms, Membership member)
        {
            Alarm alarm;
            if (!later.TryGetValue(member, out alarm))
            {
                later[member] = alarm = new Alarm(world);
            }
            alarm.Set(ms, () =>
            {
                if (!member.Current) Want(member);
            });
        }

        /// <summary>Its <c>join</c> has its answer.</summary>
        public void Answered(Membership member)
        {
            if (Asked == member)
            {
                Asked = null;
                answer.Stop();
                Next();
            }
        }

        /// <summary>It does not want to join any more.</summary>
        public void Forget(Membership member)
        {
            later.Remove(member);
            waiting.Remove(member);
            Answered(member);
        }

        /// <summary>Nobody does.</summary>
        public void Clear()
        {
            answer.Stop();
            later.Clear();
            waiting.Clear();
            Asked = null;
        }

        public void Ring(double now)
        {
            answer.Ring(now);
            if (later.Count > 0)
            {
                foreach (var alarm in new List<Alarm>(later.Values)) alarm.Ring(now);
            }
        }

        private void Next()
        {
            if (Asked == null && waiting.Count > 0)
            {
                Asked = waiting[0];
                waiting.RemoveAt(0);
                answer.Set(AnswerMaxMs, unanswered);
                ask(Asked);
            }
        }
    }
}

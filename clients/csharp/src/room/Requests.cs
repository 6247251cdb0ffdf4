using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>
    /// Requests of a session that is no fight, and their answers. They are sent once: where the connection is lost before there
    /// is an answer it is not known whether they were done.
    /// </summary>
    internal sealed class Requests
    {
        private readonly Dictionary<long, TaskCompletionSource<Answer>> pending = new Dictionary<long, TaskCompletionSource<Answer>>();
        /// <summary>Ids rise for as long as the session is had, so that no connection has one twice.</summary>
        private long next = 1;

        /// <summary>Sends a request under a new id, by what says whether it could. The task never fails.</summary>
        public Task<Answer> Ask(Func<long, bool> send)
        {
            var id = next;
            next += 1;
            var source = new TaskCompletionSource<Answer>();
            if (send(id))
            {
                pending[id] = source;
            }
            else
            {
                source.SetResult(Answer.Unsent("offline"));
            }
            return source.Task;
        }

        /// <summary>Takes an <see cref="Ack"/> or a <see cref="Refused"/>; says whether it was one.</summary>
        public bool Take(object message)
        {
            var ack = message as Ack;
            var refused = message as Refused;
            if (ack != null) Close(ack.Id, Answer.Of(ack));
            else if (refused != null) Close(refused.Id, Answer.Of(refused));
            return ack != null || refused != null;
        }

        /// <summary>No answer can come any more.</summary>
        public void End()
        {
            foreach (var id in pending.Keys.ToArray()) Close(id, Answer.Unknown);
        }

        private void Close(long id, Answer answer)
        {
            TaskCompletionSource<Answer> source;
            if (pending.TryGetValue(id, out source))
            {
                pending.Remove(id);
                source.SetResult(answer);
            }
        }
    }
}

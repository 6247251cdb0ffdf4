using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// Actions and their answers, exactly once: ids rise, what has no answer is sent again after a reconnect under the same id, and
    /// an answer that comes twice counts once.
    /// </summary>
    internal sealed class Actions
    {
        /// <summary>
        /// The server remembers the answers of a player's 64 highest ids: more at once could not be repeated.
        /// </summary>
        public const int Window = 64;
        /// <summary>
        /// The highest id that clients in every language hold as a whole number; the server takes one more.
        /// </summary>
        public const long IdMax = (1L << 53) - 1;

        private readonly SortedDictionary<long, PlayerAction> pending = new SortedDictionary<long, PlayerAction>();
        private long next = 1;

        /// <summary>Sent and not answered, in order of their ids.</summary>
        public PlayerAction[] Pending
        {
            get
            {
                var all = new PlayerAction[pending.Count];
                pending.Values.CopyTo(all, 0);
                return all;
            }
        }

        /// <summary>The server knows ids up to <paramref name="lastId"/>: the next one is higher.</summary>
        public void Joined(long lastId)
        {
            next = Math.Max(next, lastId + 1);
        }

        /// <summary>A new action; one that cannot be sent has its answer already.</summary>
        public PlayerAction Begin(Order order)
        {
            if (pending.Count >= Window)
            {
                return PlayerAction.Unsent(order, "window_full");
            }
            if (next > IdMax)
            {
                return PlayerAction.Unsent(order, "bad_action_id");
            }
            var action = new PlayerAction(next, order.Copy());
            next += 1;
            pending.Add(action.Id, action);
            return action;
        }

        /// <summary>Takes up an action again that was refused for the moment, under its own id.</summary>
        public bool Again(PlayerAction action)
        {
            if (action.Id == 0 || !action.Answered || pending.Count >= Window)
            {
                return false;
            }
            action.Open();
            pending.Add(action.Id, action);
            return true;
        }

        /// <summary>Whether this answers an action for the first time.</summary>
        public bool Close(long id, Answer answer)
        {
            PlayerAction action;
            if (!pending.TryGetValue(id, out action))
            {
                return false;
            }
            pending.Remove(id);
            action.Close(answer);
            return true;
        }

        /// <summary>No answer can come any more.</summary>
        public void End()
        {
            foreach (var action in Pending) Close(action.Id, Answer.Unknown);
        }
    }
}

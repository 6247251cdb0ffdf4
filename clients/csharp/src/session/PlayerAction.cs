using System.Threading.Tasks;

namespace Tiltyard
{
    /// <summary>An action that was asked for.</summary>
    public sealed class PlayerAction
    {
        private TaskCompletionSource<Answer> source;

        internal PlayerAction(long id, Order order)
        {
            Id = id;
            Order = order;
            Open();
        }

        /// <summary>Its number; 0 where it was refused without being sent.</summary>
        public long Id { get; private set; }

        public Order Order { get; private set; }

        /// <summary>
        /// How it ended: never an exception. What awaits it goes on within <see cref="Membership.Update"/>, or where the
        /// synchronization context has it, as in Unity on the main thread.
        /// </summary>
        public Task<Answer> Answer { get { return source.Task; } }

        internal bool Answered { get { return source.Task.IsCompleted; } }

        internal void Open()
        {
            source = new TaskCompletionSource<Answer>();
        }

        internal void Close(Answer answer)
        {
            source.TrySetResult(answer);
        }

        /// <summary>One that was refused before it was sent.</summary>
        internal static PlayerAction Unsent(Order order, string reason)
        {
            var action = new PlayerAction(0, order);
            action.Close(Tiltyard.Answer.Unsent(reason));
            return action;
        }
    }
}

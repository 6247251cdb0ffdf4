namespace Tiltyard
{
    /// <summary>How an action ended.</summary>
    public enum AnswerKind
    {
        /// <summary>It is applied; <see cref="Answer.Q"/> shows it.</summary>
        Ack,
        Refused,
        /// <summary>The server does not know its answer any more.</summary>
        Forgotten,
        /// <summary>The session was closed before there was an answer.</summary>
        Unknown,
    }

    /// <summary>The answer to an action.</summary>
    public sealed class Answer
    {
        private Answer(AnswerKind kind)
        {
            Kind = kind;
        }

        public AnswerKind Kind { get; private set; }

        /// <summary>Of an acknowledged one: the sequence of the delta that shows it.</summary>
        public long Q { get; private set; }

        /// <summary>All that the server said of an acknowledged one.</summary>
        public Ack Done { get; private set; }

        /// <summary>Of a refused one: why. <c>offline</c> and <c>window_full</c>: it was not sent.</summary>
        public string Reason { get; private set; }

        /// <summary>All that the server said of a refused one; <c>null</c> where it was not sent.</summary>
        public Refused Refusal { get; private set; }

        /// <summary>Of a forgotten one: <c>false</c> where it certainly was not applied.</summary>
        public bool? Applied { get; private set; }

        public override string ToString()
        {
            return Kind == AnswerKind.Refused ? "Refused: " + Reason : Kind.ToString();
        }

        internal static readonly Answer Unknown = new Answer(AnswerKind.Unknown);

        internal static Answer Of(Ack ack)
        {
            return new Answer(AnswerKind.Ack) { Q = ack.Q, Done = ack };
        }

        internal static Answer Of(Refused refused)
        {
            return new Answer(AnswerKind.Refused) { Reason = refused.Reason, Refusal = refused };
        }

        internal static Answer Of(Forgotten forgotten)
        {
            return new Answer(AnswerKind.Forgotten) { Applied = forgotten.Applied };
        }

        internal static Answer Unsent(string reason)
        {
            return new Answer(AnswerKind.Refused) { Reason = reason };
        }
    }
}

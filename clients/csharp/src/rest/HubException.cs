using System;

namespace Tiltyard
{
    /// <summary>A request that was refused.</summary>
    public sealed class HubException : Exception
    {
        public HubException(int status, string reason, string message, double? retryMs) : base(message)
        {
            Status = status;
            Reason = reason;
            RetryMs = retryMs;
        }

        /// <summary>Of HTTP; 0 where nothing answered.</summary>
        public int Status { get; private set; }

        public string Reason { get; private set; }

        /// <summary>How long to wait before the next try, where that was said.</summary>
        public double? RetryMs { get; private set; }
    }
}

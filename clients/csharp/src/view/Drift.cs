using System;

namespace Tiltyard
{
    /// <summary>Why a view is no longer to be trusted.</summary>
    public sealed class Drift : Exception
    {
        internal Drift(DriftKind kind, string message) : base(message)
        {
            Kind = kind;
        }

        public DriftKind Kind { get; private set; }
    }

    /// <summary>What is wrong with a view, or with what came for it.</summary>
    public enum DriftKind
    {
        /// <summary>A delta is missing; the view is right as it was.</summary>
        Gap,
        /// <summary>A participant, cover or hazard is named that is not in it.</summary>
        Unknown,
        /// <summary>Its digest is not the server's.</summary>
        Digest,
    }
}

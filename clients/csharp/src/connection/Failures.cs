using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>
    /// What listeners threw. One that throws keeps nobody else from hearing, and breaks nothing here; it is not passed over in
    /// silence either.
    /// </summary>
    internal sealed class Failures
    {
        private List<Exception> thrown = new List<Exception>();

        public void Tell<T>(Action<T> listeners, T value)
        {
            if (listeners == null)
            {
                return;
            }
            foreach (Action<T> listener in listeners.GetInvocationList())
            {
                try
                {
                    listener(value);
                }
                catch (Exception error)
                {
                    thrown.Add(error);
                }
            }
        }

        /// <summary>Throws what was thrown since.</summary>
        public void Throw()
        {
            if (thrown.Count > 0)
            {
                var all = new AggregateException(thrown);
                thrown = new List<Exception>();
                throw all;
            }
        }
    }
}

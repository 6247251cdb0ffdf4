using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>A message of this client. Fields that have nothing to say are left out.</summary>
    internal sealed class Message
    {
        /// <summary>A value that is <c>null</c>, and is said to be.</summary>
        public static readonly object Null = new object();

        private readonly List<KeyValuePair<string, object>> fields = new List<KeyValuePair<string, object>>();

        public Message(string type)
        {
            Type = type;
        }

        public string Type { get; private set; }

        public Message With(string field, object value)
        {
            if (value != null)
            {
                fields.Add(new KeyValuePair<string, object>(field, value == Null ? null : value));
            }
            return this;
        }

        public void Write(Writer writer)
        {
            writer.Begin();
            writer.OpenMap(2);
            writer.Key("t");
            writer.Text(Type);
            writer.Key("d");
            writer.Tree(fields);
            writer.CloseMap();
        }
    }
}

namespace Tiltyard
{
    /// <summary>An encoding of messages: the same names and values in each.</summary>
    public sealed class Codec
    {
        /// <summary>JSON in text frames.</summary>
        public static readonly Codec Json = new Codec("tiltyard.v2.json", true);

        /// <summary>MessagePack in binary frames: about 60 % of the bytes of a delta in JSON.</summary>
        public static readonly Codec MsgPack = new Codec("tiltyard.v2.msgpack", false);

        private Codec(string subprotocol, bool text)
        {
            Subprotocol = subprotocol;
            Text = text;
        }

        /// <summary>The subprotocol of WebSocket that names it.</summary>
        public string Subprotocol { get; private set; }

        /// <summary>Whether its frames are text.</summary>
        public bool Text { get; private set; }

        internal Reader NewReader()
        {
            return Text ? (Reader)new JsonReader() : new MsgPackReader();
        }

        internal Writer NewWriter()
        {
            return Text ? (Writer)new JsonWriter() : new MsgPackWriter();
        }
    }
}

using System;

namespace Tiltyard
{
    /// <summary>A message of the server, of the types that this client knows.</summary>
    internal static class Incoming
    {
        private static readonly object Unknown = new object();

        /// <summary>What a message says of whose it is and when it was sent.</summary>
        public struct Stamp
        {
            public long? S;
            public long? Time;
        }

        /// <summary>
        /// Reads the one message in a frame, and tells its type; throws <see cref="FormatException"/> where it is none.
        /// </summary>
        public static string Read(Reader reader, ArraySegment<byte> payload, out object message)
        {
            reader.Load(payload);
            string type = null;
            string key;
            message = null;
            var later = -1;
            for (reader.OpenMap(); reader.Key(out key);)
            {
                if (key == "t")
                {
                    type = reader.Text();
                }
                else if (key == "d" && type != null)
                {
                    message = Body(type, reader);
                }
                else
                {
                    later = key == "d" ? reader.Mark : later;
                    reader.Skip();
                }
            }
            if (!reader.AtEnd)
            {
                throw new FormatException("there is something behind the message");
            }
            if (message == null && type != null && later >= 0)
            {
                reader.Return(later, 1);
                message = Body(type, reader);
            }
            if (message == null)
            {
                throw new FormatException("a frame holds no message");
            }
            return type;
        }

        private static object Body(string type, Reader reader)
        {
            switch (type)
            {
                case "joined": return Joined.Read(reader);
                case "snapshot": return Snapshot.Read(reader);
                case "delta": return Delta.Read(reader);
                case "ack": return Ack.Read(reader);
                case "refused": return Refused.Read(reader);
                case "forgotten": return Forgotten.Read(reader);
                case "result": return Result.Read(reader);
                case "left": return Left.Read(reader);
                case "error": return Notice.Read(reader);
                case "pong": return Pong.Read(reader);
                case "state": return StateChange.Read(reader);
                case "relayed": return Relayed.Read(reader);
                case "presence": return Presence.Read(reader);
                case "missed": return MissedRelays.Read(reader);
                case "renewed": return Renewed.Read(reader);
                default:
                    reader.Skip();
                    return Unknown;
            }
        }

        public static Stamp StampOf(object message)
        {
            var delta = message as Delta;
            if (delta != null) return new Stamp { S = delta.S, Time = delta.Time };
            var ack = message as Ack;
            if (ack != null) return new Stamp { S = ack.S };
            var snapshot = message as Snapshot;
            if (snapshot != null) return new Stamp { S = snapshot.S, Time = snapshot.Time };
            var pong = message as Pong;
            if (pong != null) return new Stamp { S = pong.S, Time = pong.Time };
            var refused = message as Refused;
            if (refused != null) return new Stamp { S = refused.S };
            var forgotten = message as Forgotten;
            if (forgotten != null) return new Stamp { S = forgotten.S };
            var result = message as Result;
            if (result != null) return new Stamp { S = result.S, Time = result.Time };
            var left = message as Left;
            if (left != null) return new Stamp { S = left.S };
            var change = message as StateChange;
            if (change != null) return new Stamp { S = change.S, Time = change.Time };
            var relayed = message as Relayed;
            if (relayed != null) return new Stamp { S = relayed.S, Time = relayed.Time };
            var presence = message as Presence;
            if (presence != null) return new Stamp { S = presence.S };
            var missed = message as MissedRelays;
            return missed != null ? new Stamp { S = missed.S } : new Stamp();
        }
    }
}

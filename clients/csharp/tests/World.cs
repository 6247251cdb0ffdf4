using System;
using System.Collections.Generic;
using System.Linq;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>A message of the client, and when it was said.</summary>
    internal sealed class Said
    {
        public string Type;
        public Map Fields;
        public double At;

        public override string ToString()
        {
            return Type + " " + Trees.Write(Fields);
        }
    }

    /// <summary>The test's end of a connection that the client has opened.</summary>
    internal sealed class Line : ITransport
    {
        private readonly World world;
        private readonly Queue<byte[]> coming = new Queue<byte[]>();
        private readonly Reader reader;
        private readonly Writer writer;

        public Line(World world)
        {
            this.world = world;
            reader = world.Codec.NewReader();
            writer = world.Codec.NewWriter();
            Messages = new List<Said>();
        }

        public string Url { get; private set; }
        public string Asked { get; private set; }
        public List<Said> Messages { get; private set; }
        public bool ClosedByClient { get; private set; }
        public bool ClosedByServer { get { return State == TransportState.Closed && !ClosedByClient; } }
        public TransportState State { get; private set; }
        public string Subprotocol { get; set; }
        public int CloseCode { get; private set; }

        public void Open(Uri url, string subprotocol)
        {
            Url = url.ToString();
            Asked = subprotocol;
        }

        public void Send(ArraySegment<byte> payload, bool text)
        {
            Check.That(State == TransportState.Open && !ClosedByClient, "said on a connection that is not open");
            Check.Same(world.Codec.Text, text, "the frame's type is the encoding's");
            reader.Load(new ArraySegment<byte>(payload.ToArray()));
            var message = (Map)reader.Tree();
            Check.That(reader.AtEnd, "a message ends where its frame does");
            Messages.Add(new Said { Type = message.Text("t"), Fields = message.Map("d"), At = world.Now });
        }

        public bool Receive(out Frame frame)
        {
            var has = coming.Count > 0;
            frame = has ? new Frame(new ArraySegment<byte>(coming.Dequeue()), world.Codec.Text, 0) : new Frame();
            return has;
        }

        public void Close(int code)
        {
            ClosedByClient |= State != TransportState.Closed;
        }

        /// <summary>The server takes the connection.</summary>
        public void Accept()
        {
            Subprotocol = Subprotocol ?? Asked;
            State = TransportState.Open;
        }

        /// <summary>The server says this.</summary>
        public void Say(string type, Map fields)
        {
            writer.Begin();
            writer.Tree(new Map { { "t", type }, { "d", fields } });
            coming.Enqueue(writer.Written.ToArray());
        }

        /// <summary>The server sends these bytes.</summary>
        public void Raw(byte[] bytes)
        {
            coming.Enqueue(bytes);
        }

        /// <summary>The server closes it.</summary>
        public void End(int code)
        {
            CloseCode = code;
            State = TransportState.Closed;
        }
    }

    /// <summary>A world in which a test plays the other side, the time and the dice.</summary>
    internal sealed class World
    {
        public readonly Codec Codec;
        public readonly List<Line> Lines = new List<Line>();
        public readonly GameWorld Game;
        /// <summary>The connections whose loop this is.</summary>
        public readonly List<Connection> Connections = new List<Connection>();
        public double Now = 1000;
        public double Chance = 0.5;

        public World(Codec codec)
        {
            Codec = codec;
            Game = new GameWorld
            {
                Now = () => Now,
                Dice = () => Chance,
                NewTransport = () =>
                {
                    Lines.Add(new Line(this));
                    return Line;
                },
            };
        }

        /// <summary>The connection opened last.</summary>
        public Line Line
        {
            get
            {
                Check.That(Lines.Count > 0, "there is no connection");
                return Lines[Lines.Count - 1];
            }
        }

        /// <summary>One turn of the game's loop.</summary>
        public void Turn()
        {
            foreach (var connection in Connections) connection.Update();
        }

        /// <summary>
        /// Lets so much time pass, or less where <paramref name="done"/> is so before; says whether it was.
        /// </summary>
        public bool Pass(double ms, Func<bool> done)
        {
            var until = Now + ms;
            for (Turn(); !done(); Turn())
            {
                if (Now >= until)
                {
                    return false;
                }
                Now += 1;
            }
            return true;
        }
    }
}

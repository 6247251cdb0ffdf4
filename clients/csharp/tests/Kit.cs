using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>Plays a case of the conformance kit (protocol/kit) with this client.</summary>
    internal sealed class Kit
    {
        private const long AheadMs = 1764000000000;
        private const double PingMaxMs = 60000;

        private readonly Map kit;
        private readonly object rules;
        private readonly World world;
        private readonly Dictionary<string, Ear> ears = new Dictionary<string, Ear>();
        private readonly Dictionary<long, PlayerAction> actions = new Dictionary<long, PlayerAction>();
        private readonly HashSet<string> tickets = new HashSet<string>();
        private int minted;
        private string first;
        /// <summary>How many connections the case has dealt with, and how many messages of the one it is at.</summary>
        private int dialed;
        private int read;
        private int pinged;
        private bool silent;
        private bool closing;

        private Kit(Map kit, object rules, Codec codec)
        {
            this.kit = kit;
            this.rules = rules;
            world = new World(codec);
        }

        /// <summary>Throws where the client does not do what the case says.</summary>
        public static void Play(Map kit, object rules, Codec codec)
        {
            new Kit(kit, rules, codec).Play();
        }

        private void Play()
        {
            var steps = kit.List("steps").Cast<Map>().ToArray();
            for (var place = 0; place < steps.Length; place += 1)
            {
                try
                {
                    Take(steps[place]);
                    world.Turn();
                    AnswerPings();
                }
                catch (Exception error)
                {
                    var step = Trees.Write(steps[place]);
                    throw new Wrong("step " + place + ", " + step.Substring(0, Math.Min(300, step.Length)) + ": " + (error is Wrong ? error.Message : error.ToString()));
                }
            }
            Quiet(0);
            foreach (var ear in ears)
            {
                Check.Same("", string.Join(", ", ear.Value.Heard.Select(one => one.Key)), "at the end more was told of " + ear.Key);
            }
        }

        private void Take(Map step)
        {
            if (step.ContainsKey("do")) Do(step);
            else if (step.ContainsKey("dials")) Dials(step);
            else if (step.ContainsKey("client")) Client(step);
            else if (step.ContainsKey("server")) world.Line.Say(step.Map("server").Text("t"), Filled(step.Map("server").Map("d")));
            else if (step.ContainsKey("server_closes")) world.Line.End(step.Int("server_closes"));
            else if (step.ContainsKey("client_closes")) Within(step.List("client_closes"), () => world.Line.ClosedByClient, "closes the connection");
            else if (step.ContainsKey("wait")) Pass(step.Int("wait"), () => false);
            else if (step.ContainsKey("quiet")) Quiet(step.Int("quiet"));
            else if (step.ContainsKey("silence")) silent = true;
            else if (step.ContainsKey("pong")) Pong(step.Map("pong"));
            else if (step.ContainsKey("holds")) KitHolds.Check(step.Map("holds"), In(step).Session);
            else if (step.ContainsKey("told")) Told(step);
            else throw new Wrong("an unknown step");
        }

        private Ear In(Map step)
        {
            return ears[step.Text("in") ?? first];
        }

        private void Do(Map step)
        {
            switch (step.Text("do"))
            {
                case "connect":
                    first = step.Text("session");
                    var connection = new Connection(new ConnectionOptions { Ticket = Ticket, Codec = world.Codec, World = world.Game });
                    world.Connections.Add(connection);
                    Listen(step, connection);
                    break;
                case "join": Listen(step, ears[first].Session.Connection); break;
                case "act":
                    var action = In(step).Fight.Act(Ordered(step.Map("order")));
                    actions[action.Id] = action;
                    break;
                case "again": Check.That(In(step).Fight.Again(actions[step.Int("id")]), "it can be sent again"); break;
                case "ready": In(step).Fight.Ready(); break;
                case "concede": In(step).Fight.Concede(); break;
                case "patch":
                    var expected = step.ContainsKey("if") ? step.Int("if") : (long?)null;
                    In(step).Answers(((Room)In(step).Session).Patch(step["merge"], expected));
                    break;
                case "relay": In(step).Answers(((Room)In(step).Session).Relay(step["data"], step.Text("to"))); break;
                case "beat": In(step).Answers(((Pulse)In(step).Session).Beat()); break;
                case "leave": In(step).Session.Leave(); break;
                case "close":
                    closing = true;
                    In(step).Session.Close();
                    break;
                default: throw new Wrong("nothing is known of " + step.Text("do"));
            }
        }

        private static Order Ordered(Map order)
        {
            var made = new Order(order.Text("kind")) { Part = order.Text("part") };
            foreach (var field in order.Where(field => field.Value is long))
            {
                var name = char.ToUpperInvariant(field.Key[0]) + field.Key.Substring(1);
                typeof(Order).GetProperty(name).SetValue(made, (int?)(long)field.Value, null);
            }
            return made;
        }

        private void Listen(Map step, Connection connection)
        {
            var session = step.Text("session");
            Membership joined;
            switch (step.Text("as"))
            {
                case "custom": joined = Room.Join(session, connection); break;
                case "player": joined = Pulse.Join(session, connection); break;
                default: joined = Fight.Join(session, connection); break;
            }
            ears[session] = new Ear(joined);
        }

        private Task<Door> Ticket()
        {
            var answers = kit.List("tickets");
            var answer = minted < answers.Count ? answers[minted] : "ok";
            minted += 1;
            var refused = answer as Map;
            if (refused != null)
            {
                var retry = refused.ContainsKey("retry_ms") ? refused.Int("retry_ms") : (double?)null;
                return Task.FromException<Door>(new HubException(refused.Int("status"), "", "", retry));
            }
            return Task.FromResult(new Door("ws://127.0.0.1/ws?ticket=" + minted));
        }

        private void Dials(Map step)
        {
            Within(step.List("dials"), () => world.Lines.Count > dialed, "opens a connection");
            Check.Same(dialed + 1, world.Lines.Count, "one connection and no more");
            dialed += 1;
            read = pinged = 0;
            silent = false;
            Check.That(tickets.Add(world.Line.Url), "a ticket admits once");
            Check.Same(world.Codec.Subprotocol, world.Line.Asked, "the subprotocol");
            if (step.ContainsKey("refused")) world.Line.End(step.Int("refused"));
            else world.Line.Accept();
        }

        /// <summary>
        /// The client's next message that the case has not seen, and <c>null</c> where there is none.
        /// </summary>
        private Said Unread()
        {
            for (; dialed > 0 && read < world.Line.Messages.Count; read += 1)
            {
                var said = world.Line.Messages[read];
                if (said.Type != "ping" && !(closing && said.Type == "leave"))
                {
                    return said;
                }
            }
            return null;
        }

        private void Client(Map step)
        {
            var wanted = step.Map("client");
            var within = step.ContainsKey("within") ? step.List("within") : new List<object> { 0L, 0L };
            Within(within, () => Unread() != null, "says " + wanted.Text("t"));
            var said = Unread();
            read += 1;
            Check.That(said.Type == wanted.Text("t") && Trees.Fits(said.Fields, wanted.Map("d")), "said " + said);
            Check.That(!step.List("lacks").Any(field => said.Fields.ContainsKey((string)field)), "said " + said);
            var oneOf = step.List("has_one_of");
            Check.That(oneOf.Count == 0 || oneOf.Count(field => said.Fields.ContainsKey((string)field)) == 1, "said " + said);
        }

        private Map Filled(Map fields)
        {
            var filled = new Map(fields);
            if (Equals(filled.ContainsKey("rules") ? filled["rules"] : null, "$rules")) filled["rules"] = rules;
            foreach (var field in fields)
            {
                var text = field.Value as string;
                if (text != null && text.StartsWith("$time", StringComparison.Ordinal))
                {
                    filled[field.Key] = ServerTime(world.Now) + (text.Length > 6 ? long.Parse(text.Substring(6)) : 0);
                }
            }
            return filled;
        }

        private long ServerTime(double at)
        {
            return (long)at + (kit.ContainsKey("ahead_ms") ? (long)kit["ahead_ms"] : AheadMs);
        }

        private void AnswerPings()
        {
            if (kit.Text("pings") == "script" || silent || dialed == 0 || world.Line.State != TransportState.Open || world.Line.ClosedByClient)
            {
                return;
            }
            for (; pinged < world.Line.Messages.Count; pinged += 1)
            {
                var said = world.Line.Messages[pinged];
                if (said.Type == "ping")
                {
                    world.Line.Say("pong", new Map { { "n", said.Fields["n"] }, { "time", ServerTime(world.Now) } });
                }
            }
        }

        /// <summary>Lets time pass, with pings answered as they come.</summary>
        private bool Pass(double ms, Func<bool> done)
        {
            return world.Pass(ms, () =>
            {
                AnswerPings();
                return done();
            });
        }

        private void Within(List<object> range, Func<bool> done, string what)
        {
            var from = world.Now;
            Check.That(Pass((long)range[1], done), what + " within " + range[1] + " ms");
            Check.That(world.Now - from >= (long)range[0], what + " after " + (world.Now - from) + " ms, which is sooner than " + range[0]);
        }

        private void Quiet(double ms)
        {
            Pass(ms, () => world.Lines.Count > dialed || Unread() != null);
            Check.Same(dialed, world.Lines.Count, "no other connection is opened");
            Check.Same(null, Unread(), "nothing else is said");
        }

        private void Pong(Map step)
        {
            var line = world.Line;
            var before = line.Messages.Count;
            Func<Said> ping = () => line.Messages.Skip(before).FirstOrDefault(said => said.Type == "ping");
            Within(new List<object> { 0L, (long)PingMaxMs }, () => ping() != null, "pings");
            var sent = ping();
            Pass(step.Int("there_ms") + step.Int("back_ms"), () => false);
            line.Say("pong", new Map { { "n", sent.Fields["n"] }, { "time", ServerTime(sent.At + step.Int("there_ms")) } });
        }

        /// <summary>Each once, in this order, and nothing else.</summary>
        private void Told(Map step)
        {
            var told = step.List("told").Cast<Map>().ToArray();
            var heard = In(step).Heard;
            In(step).Heard = new List<KeyValuePair<string, object>>();
            Check.Same(string.Join(", ", told.Select(one => one.Text("t"))), string.Join(", ", heard.Select(one => one.Key)), "what was told");
            for (var place = 0; place < told.Length; place += 1)
            {
                var fits = !told[place].ContainsKey("d") || Trees.Fits(heard[place].Value, told[place]["d"]);
                Check.That(fits, "was told " + heard[place].Key + " " + Trees.Write(heard[place].Value));
            }
        }
    }
}

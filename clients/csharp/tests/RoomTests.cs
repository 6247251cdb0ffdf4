using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>Sessions that are no fights: a custom session with its state and its talk, and a player's presence.</summary>
    internal static class RoomTests
    {
        private const string Session = "0192f5a8-6c1e-7d40-9b1f-0000abcd1234";
        private const string Ann = "0192f5a8-6c1e-7d40-9b1f-0a1b2c3d4e5f";
        private const string Bob = "0192f5a8-7777-7d40-9b1f-fedcba987654";

        private sealed class Stage
        {
            public readonly World World = new World(Codec.Json);
            public readonly ConnectionOptions Options;

            public Stage()
            {
                Options = new ConnectionOptions { World = World.Game, Ticket = () => Task.FromResult(new Door("ws://h/ws?ticket=" + World.Lines.Count)) };
            }

            public Room Room(string state)
            {
                var room = Tiltyard.Room.Connect(Session, Options);
                World.Connections.Add(room.Connection);
                Begin(state);
                return room;
            }

            public void Begin(string state)
            {
                World.Turn();
                World.Line.Accept();
                Say("joined", "{\"session\":\"" + Session + "\",\"s\":7,\"type\":\"custom\",\"members\":[\"" + Ann + "\",\"" + Bob + "\"],\"here\":[\""
                    + Ann + "\"],\"version\":1,\"state\":" + state + ",\"time\":5000}");
            }

            public void Say(string type, string fields)
            {
                World.Line.Say(type, (Map)Tree(fields));
                World.Turn();
            }

            /// <summary>What the client has said, but for pings.</summary>
            public string Said()
            {
                return string.Join("; ", World.Line.Messages.Where(said => said.Type != "ping"));
            }
        }

        private static object Tree(string json)
        {
            var reader = new JsonReader();
            reader.Load(new ArraySegment<byte>(System.Text.Encoding.UTF8.GetBytes(json)));
            return reader.Tree();
        }

        private static void Has(Room room, long version, string state)
        {
            Check.Same(version, room.Version, "the version");
            Check.Same(state, Trees.Write(room.State), "the state");
        }

        private static Answer Now(Task<Answer> answer)
        {
            Check.That(answer.IsCompleted, "there is an answer");
            return answer.Result;
        }

        [Test]
        private static void ARoomIsJoinedWithItsStateAndItsMembers()
        {
            var stage = new Stage();
            var room = stage.Room("{\"map\":\"yard\"}");
            Check.Same("join {\"session\":\"" + Session + "\"}", stage.Said(), "what was said");
            Check.Same(Status.Live, room.Status, "the status");
            Has(room, 1, "{\"map\":\"yard\"}");
            Check.Same(Ann + Bob, string.Concat(room.Members), "the members");
        }

        [Test]
        private static void PatchesChangeTheStateWithAnAnswerForEach()
        {
            var stage = new Stage();
            var room = stage.Room("{\"map\":\"yard\",\"votes\":{\"ann\":1}}");
            var first = room.Patch(Tree("{\"votes\":{\"bob\":2}}"));
            var second = room.Patch(Tree("{\"map\":null}"), 1);
            Check.That(stage.Said().EndsWith("patch {\"s\":7,\"id\":2,\"merge\":{\"map\":null},\"if\":1}"), stage.Said());
            Has(room, 1, "{\"map\":\"yard\",\"votes\":{\"ann\":1}}");
            stage.Say("state", "{\"s\":7,\"version\":2,\"merge\":{\"votes\":{\"bob\":2}},\"by\":\"" + Ann + "\",\"time\":5000}");
            stage.Say("ack", "{\"s\":7,\"id\":1,\"version\":2}");
            stage.Say("refused", "{\"s\":7,\"id\":2,\"reason\":\"version_conflict\",\"version\":2}");
            Check.Same(2L, Now(first).Done.Version.Value, "the version of the first");
            Check.Same("version_conflict 2", Now(second).Reason + " " + Now(second).Refusal.Version, "the second");
            Has(room, 2, "{\"map\":\"yard\",\"votes\":{\"ann\":1,\"bob\":2}}");
        }

        [Test]
        private static void AWholeStateTakesThePlaceOfChanges()
        {
            var stage = new Stage();
            var room = stage.Room("{\"a\":1}");
            var before = new List<string>();
            room.OnState += _ => before.Add(Trees.Write(room.Before));
            stage.Say("state", "{\"s\":7,\"version\":9,\"state\":[1,2],\"time\":5000}");
            stage.Say("state", "{\"s\":7,\"version\":8,\"merge\":{\"b\":1},\"time\":5000}");
            Has(room, 9, "[1,2]");
            stage.Say("state", "{\"s\":7,\"version\":10,\"members\":[\"" + Bob + "\"],\"time\":5000}");
            Has(room, 10, "[1,2]");
            Check.Same(Bob + " " + Ann, string.Concat(room.Members) + " " + string.Concat(room.Here), "who belongs to it, and who is there");
            stage.Say("state", "{\"s\":7,\"version\":12,\"state\":null,\"here\":[],\"time\":5000}");
            Has(room, 12, "null");
            Check.Same("{\"a\":1} [1,2] [1,2]", string.Join(" ", before), "what was before");
        }

        [Test]
        private static void RelaysGoToAllOrToOne()
        {
            var stage = new Stage();
            var room = stage.Room("null");
            var told = new List<string>();
            room.OnRelayed += relayed => told.Add(relayed.N + " " + Trees.Write(relayed.Data));
            room.OnPresence += presence => told.Add(presence.Why + " " + presence.MembersHere);
            room.OnMissed += missed => told.Add(missed.From + "-" + missed.To);
            var all = room.Relay(Tree("{\"go\":true}"));
            var one = room.Relay(null, Bob);
            Check.That(stage.Said().EndsWith("relay {\"s\":7,\"id\":1,\"data\":{\"go\":true}}; relay {\"s\":7,\"id\":2,\"data\":null,\"to\":\"" + Bob + "\"}"), stage.Said());
            stage.Say("ack", "{\"s\":7,\"id\":1,\"to\":3}");
            stage.Say("refused", "{\"s\":7,\"id\":2,\"reason\":\"not_here\"}");
            Check.Same("3 not_here", Now(all).Done.To + " " + Now(one).Reason, "the answers");
            stage.Say("relayed", "{\"s\":7,\"n\":7,\"from\":\"" + Bob + "\",\"data\":[1],\"time\":5000}");
            stage.Say("presence", "{\"s\":7,\"player\":\"" + Bob + "\",\"why\":\"returned\",\"members_here\":2}");
            stage.Say("missed", "{\"s\":7,\"from\":8,\"to\":11}");
            Check.Same("7 [1]; returned 2; 8-11", string.Join("; ", told), "what was told");
            Check.Same(Ann + Bob, string.Concat(room.Here), "who is there");
            stage.Say("presence", "{\"s\":7,\"player\":\"" + Ann + "\",\"why\":\"lost\"}");
            Check.Same(Bob, string.Concat(room.Here), "who is there");
            Check.Throws<ArgumentException>(() => room.Relay(new object()), "what no message can hold");
            Check.Throws<ArgumentException>(() => room.Relay(double.NaN), "what no message can hold");
            room.Relay(1);
            Check.That(stage.Said().EndsWith("\"data\":1}"), stage.Said());
        }

        [Test]
        private static void ARoomComesBackWithTheNewestState()
        {
            var stage = new Stage();
            var room = stage.Room("{\"a\":1}");
            var patch = room.Patch(Tree("{\"a\":2}"));
            stage.World.Line.End(1006);
            stage.World.Turn();
            Check.Same(AnswerKind.Unknown, Now(patch).Kind, "what had no answer is not known");
            Check.Same("offline", Now(room.Relay(1)).Reason, "what cannot be sent");
            stage.World.Pass(5000, () => stage.World.Lines.Count == 2);
            stage.Begin("{\"a\":2}");
            room.Relay(1);
            Check.That(stage.Said().EndsWith("}; relay {\"s\":7,\"id\":3,\"data\":1}"), "ids rise, and nothing is done twice: " + stage.Said());
            Has(room, 1, "{\"a\":2}");
            stage.Say("left", "{\"s\":7,\"why\":\"removed\"}");
            Check.Same(4403, room.Closing.Code, "the code");
        }

        [Test]
        private static void AFightIsNoRoom()
        {
            var stage = new Stage();
            var fight = Fight.Connect(Session, stage.Options);
            var errors = new List<string>();
            fight.OnError += notice => errors.Add(notice.Reason);
            stage.World.Connections.Add(fight.Connection);
            stage.Begin("null");
            Check.Same("wrong_type", errors.Single(), "what was told");
            Check.Same(Status.Closed, fight.Status, "the status");
        }

        [Test]
        private static void MergePatchesDoWhatTheStandardSays()
        {
            var cases = new[]
            {
                "{'a':'b'} {'a':'c'} {'a':'c'}", "{'a':'b','b':'c'} {'a':null} {'b':'c'}", "{'a':['b']} {'a':'c'} {'a':'c'}",
                "{'a':{'b':'c'}} {'a':{'b':'d','c':null}} {'a':{'b':'d'}}", "{'a':[{'b':'c'}]} {'a':[1]} {'a':[1]}", "['a'] ['c'] ['c']",
                "{'a':'foo'} null null", "{'e':null} {'a':1} {'e':null,'a':1}", "[1] {'a':'b','c':null} {'a':'b'}", "{} {'a':{'b':{'c':null}}} {'a':{'b':{}}}",
            };
            foreach (var one in cases)
            {
                var parts = one.Replace('\'', '"').Split(' ').Select(Tree).ToArray();
                var before = Trees.Write(parts[0]);
                Check.That(Trees.Same(MergePatch.Merged(parts[0], parts[1]), parts[2]), one);
                Check.Same(before, Trees.Write(parts[0]), "what was before stays as it was");
            }
        }

        [Test]
        private static void APulseBeatsInEachThirdOfWhatIsLeft()
        {
            var stage = new Stage();
            var pulse = Pulse.Connect(Session, stage.Options);
            stage.World.Connections.Add(pulse.Connection);
            stage.World.Turn();
            stage.World.Line.Accept();
            // The server's clock is 4 s ahead, and the presence ends in 9 s.
            stage.Say("joined", "{\"session\":\"" + Session + "\",\"s\":7,\"type\":\"player\",\"version\":1,\"expires_at\":14000,\"time\":5000}");
            Func<int> beats = () => stage.World.Line.Messages.Count(said => said.Type == "beat");
            stage.World.Pass(2990, () => false);
            Check.Same(0, beats(), "not yet");
            stage.World.Pass(20, () => beats() > 0);
            Check.Same(1, beats(), "after a third");
            stage.Say("ack", "{\"s\":7,\"id\":1,\"expires_at\":12501}");
            Check.Same(12501L, pulse.ExpiresAt, "until when it lasts");
            stage.World.Pass(1480, () => false);
            Check.Same(1, beats(), "not yet");
            stage.World.Pass(40, () => beats() > 1);
            stage.Say("refused", "{\"s\":7,\"id\":2,\"reason\":\"rate_limited\",\"retry_ms\":1500}");
            stage.World.Pass(1490, () => false);
            Check.Same(2, beats(), "not yet");
            stage.World.Pass(20, () => beats() > 2);
            Check.Same(3, beats(), "later, where it is told so");
            stage.World.Line.End(4401);
            stage.World.Turn();
            Check.Same(Status.Closed, pulse.Status, "the status");
            stage.World.Pass(60000, () => false);
            Check.Same(3, beats(), "no more");
        }
    }
}

using System;
using System.Collections.Generic;
using System.Linq;
using System.Net.Http;
using System.Text;
using System.Threading.Tasks;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>Custom sessions and player sessions of the real server.</summary>
    [NeedsServer]
    internal static class RoomServerTests
    {
        private static readonly HttpClient Http = new HttpClient();

        /// <summary>What a service does: creates a session, or gets a player a ticket.</summary>
        private static Map Post(Server server, string path, string body)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, server.Url + path);
            request.Headers.Add("Authorization", "Bearer " + server.Token("--service tests"));
            request.Content = new StringContent(body, Encoding.UTF8, "application/json");
            var answer = Http.SendAsync(request).Result;
            var text = answer.Content.ReadAsStringAsync().Result;
            Check.That(answer.IsSuccessStatusCode, path + ": " + text);
            var reader = new JsonReader();
            reader.Load(new ArraySegment<byte>(Encoding.UTF8.GetBytes(text)));
            return (Map)reader.Tree();
        }

        private static ConnectionOptions As(Server server, string session, string player, Codec codec)
        {
            return new ConnectionOptions
            {
                Codec = codec,
                Ticket = () => Task.FromResult(new Door(Post(server, "/sessions/" + session + "/tickets", "{\"player_id\":\"" + player + "\"}").Text("url"))),
            };
        }

        [Test]
        private static void MembersOfARoomHaveOneStateAndHearEachOther()
        {
            using (var server = new Server())
            {
                var players = new[] { Guid.NewGuid().ToString(), Guid.NewGuid().ToString() };
                var members = "[\"" + players[0] + "\",\"" + players[1] + "\"]";
                var id = Post(server, "/sessions", "{\"type\":\"custom\",\"player_id\":\"" + players[0] + "\",\"settings\":{\"members\":" + members + "}}").Text("session_id");
                var ann = Room.Connect(id, As(server, id, players[0], Codec.Json));
                var bob = Room.Connect(id, As(server, id, players[1], Codec.MsgPack));
                var told = new List<string>();
                bob.OnRelayed += relayed => told.Add(Trees.Write(relayed.Data));
                ServerTests.Until("both", () => ann.Here.Length == 2 && bob.Here.Length == 2, ann, bob);
                var asked = new List<Task<Answer>>();
                for (var n = 1; n <= 10; n += 1)
                {
                    asked.Add(ann.Patch(new Map { { "ann", n }, { "both", "é" + n } }));
                    asked.Add(bob.Patch(new Map { { "bob", new Map { { "n", n }, { "odd", n % 2 == 1 ? (object)true : null } } } }));
                    asked.Add(ann.Relay(new List<object> { n, "é😀", null, 1.5 }));
                }
                ServerTests.Until("all answers", () => asked.All(one => one.IsCompleted), ann, bob);
                var refused = asked.Select(one => one.Result).Where(one => one.Kind != AnswerKind.Ack);
                Check.Same("", string.Join(", ", refused), "what was refused");
                var stale = bob.Patch(new Map(), 1);
                ServerTests.Until("all of it", () => stale.IsCompleted && told.Count == 10 && ann.Version > 20 && bob.Version == ann.Version, ann, bob);
                Check.That(Trees.Same(ann.State, bob.State), Trees.Write(ann.State) + ", and " + Trees.Write(bob.State));
                Check.That(Trees.Fits(ann.State, new Map { { "ann", 10L }, { "both", "é10" }, { "bob", new Map { { "n", 10L } } } }), Trees.Write(ann.State));
                Check.That(told.SequenceEqual(Enumerable.Range(1, 10).Select(n => "[" + n + ",\"é😀\",null,1.5]")), string.Join(" ", told));
                Check.Same("version_conflict " + ann.Version, stale.Result.Reason + " " + stale.Result.Refusal.Version, "what was too late");
                bob.Close();
                ServerTests.Until("one to go", () => ann.Here.Length == 1, ann, bob);
                var alone = ann.Relay(1, players[1]);
                ServerTests.Until("an answer", () => alone.IsCompleted, ann);
                Check.Same("not_here", alone.Result.Reason, "the answer");
                ann.Close();
            }
        }

        [Test]
        private static void APulseKeepsAPlayersSession()
        {
            using (var server = new Server())
            {
                var player = Guid.NewGuid().ToString();
                var id = Post(server, "/sessions", "{\"type\":\"player\",\"player_id\":\"" + player + "\"}").Text("session_id");
                var pulse = Pulse.Connect(id, As(server, id, player, Codec.MsgPack));
                ServerTests.Until("to be there", () => pulse.Status == Status.Live, pulse);
                var until = pulse.ExpiresAt;
                var beat = pulse.Beat();
                ServerTests.Until("an answer", () => beat.IsCompleted, pulse);
                Check.Same(AnswerKind.Ack, beat.Result.Kind, "the answer");
                Check.That(until > 0 && pulse.ExpiresAt >= until, until + ", then " + pulse.ExpiresAt);
                pulse.Close();
            }
        }
    }
}

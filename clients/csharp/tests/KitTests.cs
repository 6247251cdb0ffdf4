using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>The conformance kit: this client does what every case says, in both encodings.</summary>
    internal static class KitTests
    {
        private static readonly string Folder = Path.Combine("..", "..", "protocol", "kit");

        public static IEnumerable<KeyValuePair<string, Action>> Cases()
        {
            foreach (var file in Directory.GetFiles(Path.Combine(Folder, "cases"), "*.json").OrderBy(name => name, StringComparer.Ordinal))
            {
                var topic = Trees.Read(file);
                foreach (var codec in new[] { Codec.Json, Codec.MsgPack })
                {
                    foreach (var one in topic.List("cases").Cast<Map>())
                    {
                        var name = "Kit." + topic.Text("topic") + " (" + codec.Subprotocol + "): " + one.Text("name");
                        yield return new KeyValuePair<string, Action>(name, () => Kit.Play(one, topic["rules"], codec));
                    }
                }
            }
        }

        [Test]
        private static void HasAsManyCasesAsItShould()
        {
            Check.That(Cases().Count() >= 2 * 150, Cases().Count() + " cases in both encodings");
        }

        [Test]
        private static void DigestsAreThoseOfTheVectors()
        {
            var vectors = Trees.Read(Path.Combine(Folder, "digests.json")).List("vectors").Cast<Map>().ToArray();
            Check.That(vectors.Length > 0, "there are vectors");
            foreach (var vector in vectors)
            {
                Check.Same((long)vector["digest"], (long)Digest.Of(Made(vector["view"], View.Read)), vector.Text("name"));
            }
        }

        [Test]
        private static void ViewsAreTheServers()
        {
            var file = Path.Combine("..", "..", "tests", "browser", "vectors.json");
            var cases = Trees.Read(file).List("cases").Cast<Map>().ToArray();
            Check.That(cases.Length > 0, "there are cases");
            foreach (var one in cases)
            {
                var snapshot = Made(one["snapshot"], Snapshot.Read);
                var view = Views.Of(snapshot);
                var q = snapshot.Q;
                foreach (var delta in one.List("deltas").Select(delta => Made(delta, Delta.Read)))
                {
                    view = Views.After(view, q, delta);
                    q = delta.Q;
                }
                Check.Same((long)one.Map("end")["h"], (long)Digest.Of(view), one.Text("name"));
                Check.That(Trees.Same(Trees.OfView(view), Trees.Bare(one.Map("end").Map("view"))), one.Text("name") + ": " + Trees.Write(Trees.OfView(view)));
            }
        }

        internal static T Made<T>(object tree, Func<Reader, T> read)
        {
            var writer = new MsgPackWriter();
            writer.Begin();
            writer.Tree(tree);
            var reader = new MsgPackReader();
            reader.Load(writer.Written);
            return read(reader);
        }
    }
}

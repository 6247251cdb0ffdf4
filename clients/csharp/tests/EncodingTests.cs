using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>
    /// The readers and writers: they take what is right, and refuse what is not by <see cref="FormatException"/> alone.
    /// </summary>
    internal static class EncodingTests
    {
        private static object Json(string text)
        {
            return Json(Encoding.UTF8.GetBytes(text));
        }

        private static object Json(byte[] bytes)
        {
            return Tree(new JsonReader(), bytes);
        }

        private static object Pack(params byte[] bytes)
        {
            return Tree(new MsgPackReader(), bytes);
        }

        private static object Tree(Reader reader, byte[] bytes)
        {
            reader.Load(new ArraySegment<byte>(bytes));
            var tree = reader.Tree();
            Check.That(reader.AtEnd, "all is read");
            return tree;
        }

        private static long Whole(Reader reader, params byte[] bytes)
        {
            reader.Load(new ArraySegment<byte>(bytes));
            return reader.Whole();
        }

        [Test]
        private static void JsonIsReadAsItIsMeant()
        {
            var map = (Map)Json(" {\"a\" : [ ] , \"b\":{},\"c\":[1,-2.5,true,false,null],\"d\":\"\\u00e9\\ud83d\\ude00\\n\\/\\\"é😀\",\"e\":1e3,\"f\":0} ");
            Check.That(Trees.Same(map["c"], new List<object> { 1L, -2.5, true, false, null }), "a list");
            Check.Same("é😀\n/\"é😀", (string)map["d"], "a text");
            Check.Same(1000L, (long)map["e"], "an exponent");
            Check.Same(0L, (long)map["f"], "zero");
            Check.Same(9007199254740992L, (long)Json("9007199254740992"), "the greatest");
        }

        [Test]
        private static void WhatIsNoJsonIsRefused()
        {
            var wrong = new[]
            {
                "", "{", "[1,]", "[1 2]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "\"", "\"\\x\"", "\"\\ud83d\"", "\"\\ude00\"", "\"\\ud83dx\"", "\"\n\"",
                "\"\\u12\"", "tru", "nul", "-", "1.", "1e", ".5", "+1", "[,1]", "1e999", "NaN", "{\"a\":1]", "[01]", "[-01]",
            };
            foreach (var text in wrong)
            {
                Check.Throws<FormatException>(() => Check.That(Json(text) is Exception, "nothing is left over"), text);
            }
            Check.Throws<FormatException>(() => Json(new byte[] { (byte)'"', 0xff, (byte)'"' }), "what is not UTF-8");
            Check.Throws<FormatException>(() => Json(new string('[', 65) + new string(']', 65)), "what is too deep");
            Json(new string('[', 64) + new string(']', 64));
        }

        [Test]
        private static void NumbersHaveTheirBounds()
        {
            foreach (var text in new[] { "9007199254740993", "-9007199254740994", "1.5", "1e300", "true", "\"1\"" })
            {
                Check.Throws<FormatException>(() => Whole(new JsonReader(), Encoding.ASCII.GetBytes(text + ",")), text);
            }
            Check.Throws<FormatException>(() => Whole(new MsgPackReader(), 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 1), "2^53 + 1");
            Check.Throws<FormatException>(() => Whole(new MsgPackReader(), 0xcf, 0xff, 0, 0, 0, 0, 0, 0, 0), "2^63 and more");
            Check.Throws<FormatException>(() => Whole(new MsgPackReader(), 0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), "1.5");
            Check.Same(1L << 53, Whole(new MsgPackReader(), 0xcf, 0, 0x20, 0, 0, 0, 0, 0, 0), "2^53");
            var reader = new JsonReader();
            reader.Load(new ArraySegment<byte>(Encoding.ASCII.GetBytes("2147483648 ")));
            Check.Throws<FormatException>(() => reader.Int(), "more than 32 bits");
        }

        [Test]
        private static void MessagePackIsReadInEveryForm()
        {
            Check.That(Equals(Pack(0x7f), 127L) && Equals(Pack(0xe0), -32L), "in the type's own byte");
            Check.That(Equals(Pack(0xcc, 0xff), 255L) && Equals(Pack(0xcd, 1, 0), 256L) && Equals(Pack(0xce, 0xff, 0, 0, 0), 0xff000000L), "unsigned");
            Check.That(Equals(Pack(0xd0, 0x80), -128L) && Equals(Pack(0xd1, 0x80, 0), -32768L) && Equals(Pack(0xd2, 0xff, 0xff, 0xff, 0xff), -1L), "signed");
            Check.That(Equals(Pack(0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe), -2L), "signed, of 64 bits");
            Check.That(Equals(Pack(0xca, 0x3f, 0xc0, 0, 0), 1.5) && Equals(Pack(0xcb, 0x3f, 0xf8, 0, 0, 0, 0, 0, 0), 1.5), "with a point");
            Check.That(Equals(Pack(0xa1, 0x61), "a") && Equals(Pack(0xd9, 1, 0x61), "a") && Equals(Pack(0xda, 0, 1, 0x61), "a")
                && Equals(Pack(0xdb, 0, 0, 0, 1, 0x61), "a"), "texts");
            Check.That(Trees.Same(Pack(0xdc, 0, 1, 0xc3), new List<object> { true }) && Trees.Same(Pack(0xdd, 0, 0, 0, 1, 0xc0), new List<object> { null }), "lists");
            Check.That(Trees.Same(Pack(0xde, 0, 1, 0xa1, 0x61, 1), new Map { { "a", 1L } }) && Trees.Same(Pack(0x80), new Map()), "maps");
        }

        [Test]
        private static void WhatIsNoMessagePackIsRefused()
        {
            var wrong = new[]
            {
                new byte[0], new byte[] { 0xc1 }, new byte[] { 0xc4, 0 }, new byte[] { 0xd4, 0, 0 }, new byte[] { 0xcd, 1 }, new byte[] { 0xa2, 0x61 },
                new byte[] { 0xdb, 0xff, 0xff, 0xff, 0xff, 0x61 }, new byte[] { 0xdd, 0xff, 0xff, 0xff, 0xff }, new byte[] { 0x81, 1, 1 },
                new byte[] { 0x92, 1 }, new byte[] { 0xa1, 0xff }, new byte[] { 0xdf, 0x7f, 0xff, 0xff, 0xff, 0xa1, 0x61 },
            };
            foreach (var bytes in wrong)
            {
                Check.Throws<FormatException>(() => Pack(bytes), BitConverter.ToString(bytes));
            }
            Check.Throws<FormatException>(() => Pack(Enumerable.Repeat((byte)0x91, 65).Concat(new byte[] { 1 }).ToArray()), "what is too deep");
        }

        [Test]
        private static void WhatIsWrittenIsReadAgain()
        {
            var random = new Random(7);
            for (var turn = 0; turn < 300; turn += 1)
            {
                var tree = Random(random, 3);
                foreach (var codec in new[] { Codec.Json, Codec.MsgPack })
                {
                    var writer = codec.NewWriter();
                    writer.Begin();
                    writer.Tree(tree);
                    Check.That(Trees.Same(tree, Tree(codec.NewReader(), writer.Written.ToArray())), codec.Subprotocol + ": " + Trees.Write(tree));
                }
            }
        }

        private static object Random(Random random, int depth)
        {
            var texts = new[] { "", "a", "é", "😀 \" \\ \n \u0001", new string('x', 31), new string('y', 40), new string('z', 300), new string('w', 70000) };
            switch (random.Next(depth == 0 ? 5 : 7))
            {
                case 0: return null;
                case 1: return random.Next(2) == 0;
                case 2:
                    var bits = random.Next(54);
                    var whole = bits == 53 ? 1L << 53 : (long)(random.NextDouble() * (1L << bits));
                    return random.Next(2) == 0 ? whole : -whole;
                case 3: return random.NextDouble() * 1e6 + 0.5 / 3;
                case 4: return texts[random.Next(texts.Length)];
                case 5: return Enumerable.Range(0, random.Next(random.Next(20) == 0 ? 18 : 4)).Select(_ => Random(random, depth - 1)).ToList();
                default: return Enumerable.Range(0, random.Next(random.Next(20) == 0 ? 18 : 4)).ToDictionary(place => "key" + place, _ => Random(random, depth - 1));
            }
        }

        /// <summary>Whatever comes, reading ends, and in nothing but a message or the one exception.</summary>
        [Test]
        private static void WhatIsBrokenBreaksNothing()
        {
            var random = new Random(11);
            var delta = (Map)Json("{\"t\":\"delta\",\"d\":{\"s\":7,\"q\":11,\"id\":0,\"at\":5,\"time\":6,\"ev\":[{\"k\":\"hit\",\"by\":0,\"to\":1,\"n\":9}],"
                + "\"p\":[{\"i\":1,\"hp\":91,\"effects\":[[1,2,3]],\"cast\":[1,2]}],\"ph\":{\"status\":\"active\",\"wins\":[[0,1]]},\"c\":[[0,1]],\"z\":[[0,1,1]],\"h\":1}}");
            foreach (var codec in new[] { Codec.Json, Codec.MsgPack })
            {
                var writer = codec.NewWriter();
                writer.Begin();
                writer.Tree(delta);
                var whole = writer.Written.ToArray();
                var reader = codec.NewReader();
                var read = 0;
                for (var turn = 0; turn < 4000; turn += 1)
                {
                    var bytes = (byte[])whole.Clone();
                    for (var changes = random.Next(3); changes >= 0; changes -= 1) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                    try
                    {
                        object message;
                        Incoming.Read(reader, new ArraySegment<byte>(bytes, 0, turn % 4 == 0 ? random.Next(bytes.Length) : bytes.Length), out message);
                        read += 1;
                    }
                    catch (FormatException)
                    {
                    }
                }
                Check.That(read > 0, "some are messages all the same");
            }
        }

        [Test]
        private static void AMessageIsFoundInAnyOrderAndAlone()
        {
            foreach (var codec in new[] { Codec.Json, Codec.MsgPack })
            {
                var writer = codec.NewWriter();
                var fields = new Map { { "s", 3L }, { "id", 5L }, { "q", 9L }, { "more", new Map { { "x", new List<object> { 1L } } } } };
                writer.Begin();
                writer.Tree(new Map { { "x", fields }, { "d", fields }, { "y", 1L }, { "t", "ack" }, { "z", null } });
                object message;
                Check.Same("ack", Incoming.Read(codec.NewReader(), writer.Written, out message), "the type");
                Check.Same(5L, ((Ack)message).Id, "the id");
                var trailing = writer.Written.Concat(new byte[] { codec.Text ? (byte)'1' : (byte)1 }).ToArray();
                Check.Throws<FormatException>(() => Incoming.Read(codec.NewReader(), new ArraySegment<byte>(trailing), out message), "what is behind it");
                writer.Begin();
                writer.Tree(new Map { { "t", "ack" } });
                Check.Throws<FormatException>(() => Incoming.Read(codec.NewReader(), writer.Written, out message), "one without fields");
            }
        }

        [Test]
        private static void TextsAreKeptOnceAndNeverMistaken()
        {
            var texts = new Texts();
            var words = Enumerable.Range(0, 3000).Select(number => "word" + number).ToArray();
            foreach (var word in words.Concat(words).Concat(new[] { "é", "Ã©", new string('n', 41) }))
            {
                var bytes = Encoding.UTF8.GetBytes(word);
                Check.Same(word, texts.Of(bytes, 0, bytes.Length), "a text");
            }
            var same = Encoding.UTF8.GetBytes("stamina_at");
            Check.That(ReferenceEquals(texts.Of(same, 0, same.Length), texts.Of(same, 0, same.Length)), "it is not made anew");
        }
    }
}

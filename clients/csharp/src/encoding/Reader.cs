using System;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>What a value of a message is.</summary>
    internal enum Kind { Null, Flag, Number, Text, List, Map }

    /// <summary>
    /// Reads one message from its bytes, value by value and without building anything in between. What is no message, or
    /// beyond the bounds, throws <see cref="FormatException"/>.
    /// </summary>
    internal abstract class Reader
    {
        /// <summary>
        /// How deep lists and maps may lie in each other: far more than any message of the server needs.
        /// </summary>
        public const int DepthMax = 64;
        /// <summary>Whole numbers up to here are the same in every client, those in JavaScript too.</summary>
        public const long WholeMax = 1L << 53;

        protected byte[] Bytes = new byte[0];
        protected int At;
        protected int End;
        protected int Depth;
        protected readonly Texts Texts = new Texts();

        /// <summary>
        /// Begins with the message in <paramref name="payload"/>, which must stay as it is meanwhile.
        /// </summary>
        public void Load(ArraySegment<byte> payload)
        {
            Bytes = payload.Array ?? new byte[0];
            At = payload.Offset;
            End = payload.Offset + payload.Count;
            Depth = 0;
        }

        /// <summary>The kind of the next value.</summary>
        public abstract Kind Next { get; }

        /// <summary>Goes into a map, whose fields <see cref="Key"/> gives until there are no more.</summary>
        public abstract void OpenMap();

        /// <summary>
        /// The name of the map's next field, whose value has to be read or skipped then; <c>false</c> at its end.
        /// </summary>
        public abstract bool Key(out string key);

        /// <summary>Goes into a list, in which <see cref="Item"/> says whether another value follows.</summary>
        public abstract void OpenList();

        /// <summary>Whether the list has another value, which has to be read or skipped then.</summary>
        public abstract bool Item();

        public abstract void Null();
        public abstract bool Flag();
        public abstract double Number();
        public abstract string Text();

        /// <summary>A whole number that every client can hold.</summary>
        public virtual long Whole()
        {
            var number = Number();
            if (!(Math.Abs(number) <= WholeMax) || Math.Floor(number) != number)
            {
                throw Bad("a number is not whole, or beyond 2^53");
            }
            return (long)number;
        }

        /// <summary>A whole number of 32 bits.</summary>
        public int Int()
        {
            var whole = Whole();
            if (whole < int.MinValue || whole > int.MaxValue)
            {
                throw Bad("a number is beyond 32 bits");
            }
            return (int)whole;
        }

        /// <summary>Whether all has been read.</summary>
        public abstract bool AtEnd { get; }

        /// <summary>A place to come back to, in the map that was opened last.</summary>
        public int Mark { get { return At; } }

        /// <summary>Goes back to <paramref name="mark"/>, which was in a map at this depth.</summary>
        public virtual void Return(int mark, int depth)
        {
            At = mark;
            Depth = depth;
        }

        /// <summary>Passes over the next value.</summary>
        public void Skip()
        {
            string key;
            switch (Next)
            {
                case Kind.Null: Null(); break;
                case Kind.Flag: Flag(); break;
                case Kind.Number: Number(); break;
                case Kind.Text: Text(); break;
                case Kind.List:
                    for (OpenList(); Item();) Skip();
                    break;
                default:
                    for (OpenMap(); Key(out key);) Skip();
                    break;
            }
        }

        /// <summary>The next value as what it is made of: <c>null</c>, <c>bool</c>, <c>long</c> or <c>double</c>, <c>string</c>,
        /// <c>List&lt;object&gt;</c>, <c>Dictionary&lt;string, object&gt;</c>.</summary>
        public object Tree()
        {
            string key;
            switch (Next)
            {
                case Kind.Null:
                    Null();
                    return null;
                case Kind.Flag: return Flag();
                case Kind.Number:
                    var number = Number();
                    var whole = Math.Floor(number) == number && Math.Abs(number) <= WholeMax;
                    return whole ? (object)(long)number : number;
                case Kind.Text: return Text();
                case Kind.List:
                    var list = new List<object>();
                    for (OpenList(); Item();) list.Add(Tree());
                    return list;
                default:
                    var map = new Dictionary<string, object>();
                    for (OpenMap(); Key(out key);) map[key] = Tree();
                    return map;
            }
        }

        /// <summary>The next value as a list of <typeparamref name="T"/>.</summary>
        public T[] List<T>(Func<Reader, T> item)
        {
            var items = new List<T>();
            for (OpenList(); Item();) items.Add(item(this));
            return items.ToArray();
        }

        /// <summary>The next value as a list of whole numbers.</summary>
        public int[] Ints()
        {
            return List(IntOf);
        }

        /// <summary>The same, of numbers that 32 bits may not hold.</summary>
        public long[] Wholes()
        {
            return List(WholeOf);
        }

        /// <summary>The next value as a list of texts.</summary>
        public string[] Strings()
        {
            return List(TextOf);
        }

        protected void Deeper()
        {
            if (Depth == DepthMax)
            {
                throw Bad("lists and maps lie too deep in each other");
            }
            Depth += 1;
        }

        protected FormatException Bad(string why)
        {
            return new FormatException(why + ", at byte " + At);
        }

        private static readonly Func<Reader, long> WholeOf = reader => reader.Whole();
        private static readonly Func<Reader, int> IntOf = reader => reader.Int();
        private static readonly Func<Reader, string> TextOf = reader => reader.Text();
    }
}

using System;
using System.Collections;
using System.Collections.Generic;

namespace Tiltyard
{
    /// <summary>Writes one message into a buffer that is used again.</summary>
    internal abstract class Writer
    {
        private byte[] bytes = new byte[256];
        private int count;

        /// <summary>What has been written; it is good until the next message is begun.</summary>
        public ArraySegment<byte> Written { get { return new ArraySegment<byte>(bytes, 0, count); } }

        public virtual void Begin()
        {
            count = 0;
        }

        public abstract void OpenMap(int fields);
        public abstract void Key(string key);
        public abstract void CloseMap();
        public abstract void OpenList(int items);
        public abstract void CloseList();
        public abstract void Null();
        public abstract void Flag(bool value);
        public abstract void Whole(long value);
        public abstract void Number(double value);
        public abstract void Text(string value);

        /// <summary>
        /// A value made of what <see cref="Reader.Tree"/> gives; throws <see cref="ArgumentException"/> for anything
        /// else.
        /// </summary>
        public void Tree(object value)
        {
            Tree(value, 0);
        }

        private void Tree(object value, int depth)
        {
            if (depth > Reader.DepthMax)
            {
                throw new ArgumentException("lists and maps lie too deep in each other");
            }
            var map = value as IReadOnlyCollection<KeyValuePair<string, object>>;
            var list = value as IList;
            if (value == null) Null();
            else if (value is bool) Flag((bool)value);
            else if (value is int || value is long || value is uint) Whole(Convert.ToInt64(value));
            else if (value is double || value is float) Number(Convert.ToDouble(value));
            else if (value is string) Text((string)value);
            else if (map != null)
            {
                OpenMap(map.Count);
                foreach (var field in map)
                {
                    Key(field.Key);
                    Tree(field.Value, depth + 1);
                }
                CloseMap();
            }
            else if (list != null)
            {
                OpenList(list.Count);
                foreach (var item in list) Tree(item, depth + 1);
                CloseList();
            }
            else throw new ArgumentException("a " + value.GetType().Name + " cannot be said in a message");
        }

        protected void Put(int value)
        {
            Room(1);
            bytes[count] = (byte)value;
            count += 1;
        }

        protected void Put(byte[] values, int length)
        {
            Room(length);
            Buffer.BlockCopy(values, 0, bytes, count, length);
            count += length;
        }

        private void Room(int more)
        {
            if (count + more > bytes.Length)
            {
                Array.Resize(ref bytes, Math.Max(bytes.Length * 2, count + more));
            }
        }
    }
}

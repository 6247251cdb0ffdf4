using System;
using System.Text;

namespace Tiltyard
{
    /// <summary>Writes MessagePack, each value in the fewest bytes.</summary>
    internal sealed class MsgPackWriter : Writer
    {
        public override void OpenMap(int fields)
        {
            Length(fields, 0x80, 15, 0, 0xde);
        }

        public override void CloseMap()
        {
        }

        public override void OpenList(int items)
        {
            Length(items, 0x90, 15, 0, 0xdc);
        }

        public override void CloseList()
        {
        }

        public override void Key(string key)
        {
            Text(key);
        }

        public override void Null()
        {
            Put(0xc0);
        }

        public override void Flag(bool value)
        {
            Put(value ? 0xc3 : 0xc2);
        }

        public override void Whole(long value)
        {
            if (value >= -32 && value <= 127) Put((int)value & 0xff);
            else if (value >= 0 && value <= byte.MaxValue) Big(0xcc, value, 1);
            else if (value >= 0 && value <= ushort.MaxValue) Big(0xcd, value, 2);
            else if (value >= 0 && value <= uint.MaxValue) Big(0xce, value, 4);
            else if (value >= 0) Big(0xcf, value, 8);
            else if (value >= sbyte.MinValue) Big(0xd0, value, 1);
            else if (value >= short.MinValue) Big(0xd1, value, 2);
            else if (value >= int.MinValue) Big(0xd2, value, 4);
            else Big(0xd3, value, 8);
        }

        public override void Number(double value)
        {
            Big(0xcb, BitConverter.DoubleToInt64Bits(value), 8);
        }

        public override void Text(string value)
        {
            var utf8 = Encoding.UTF8.GetBytes(value);
            Length(utf8.Length, 0xa0, 31, 0xd9, 0xda);
            Put(utf8, utf8.Length);
        }

        /// <summary>
        /// A length: in the type's own byte up to <paramref name="few"/>, then in 1 (where there is such a type), 2 or
        /// 4.
        /// </summary>
        private void Length(int length, int type, int few, int one, int two)
        {
            if (length <= few) Put(type | length);
            else if (one != 0 && length <= byte.MaxValue) Big(one, length, 1);
            else if (length <= ushort.MaxValue) Big(two, length, 2);
            else Big(two + 1, length, 4);
        }

        private void Big(int type, long value, int count)
        {
            Put(type);
            for (var shift = 8 * (count - 1); shift >= 0; shift -= 8)
            {
                Put((int)(value >> shift) & 0xff);
            }
        }
    }
}

using System;

namespace Tiltyard
{
    /// <summary>Reads MessagePack. Maps have texts as keys; extensions are nothing that the server sends.</summary>
    internal sealed class MsgPackReader : Reader
    {
        /// <summary>How many values each open list or map still has.</summary>
        private readonly long[] left = new long[DepthMax + 1];

        public override Kind Next
        {
            get
            {
                var type = Peek();
                if (type <= 0x7f || type >= 0xe0 || type >= 0xca && type <= 0xd3) return Kind.Number;
                if (type <= 0x8f || type == 0xde || type == 0xdf) return Kind.Map;
                if (type <= 0x9f || type == 0xdc || type == 0xdd) return Kind.List;
                if (type <= 0xbf || type >= 0xd9 && type <= 0xdb) return Kind.Text;
                if (type == 0xc0) return Kind.Null;
                if (type == 0xc2 || type == 0xc3) return Kind.Flag;
                throw Bad("a value is of a type that no message has");
            }
        }

        public override bool AtEnd { get { return At == End; } }

        public override void OpenMap()
        {
            Open(0x80, 0xde, "there is no map");
        }

        public override void OpenList()
        {
            Open(0x90, 0xdc, "there is no list");
        }

        public override bool Key(out string key)
        {
            var more = Item();
            key = more ? Text() : null;
            return more;
        }

        public override bool Item()
        {
            if (left[Depth] == 0)
            {
                Depth -= 1;
                return false;
            }
            left[Depth] -= 1;
            return true;
        }

        public override void Return(int mark, int depth)
        {
            base.Return(mark, depth);
            left[depth] = 0;
        }

        public override void Null()
        {
            if (Take() != 0xc0)
            {
                throw Bad("there is a value where there should be none");
            }
        }

        public override bool Flag()
        {
            var type = Take();
            if (type != 0xc2 && type != 0xc3)
            {
                throw Bad("there is no true or false");
            }
            return type == 0xc3;
        }

        public override long Whole()
        {
            var type = Peek();
            if (type == 0xca || type == 0xcb)
            {
                return base.Whole();
            }
            var whole = Integer();
            if (whole < -WholeMax || whole > WholeMax)
            {
                throw Bad("a number is beyond 2^53");
            }
            return whole;
        }

        public override double Number()
        {
            var type = Peek();
            if (type != 0xca && type != 0xcb)
            {
                return Integer();
            }
            At += 1;
            // By way of the bytes in the order of this machine.
            var bits = Big(type == 0xca ? 4 : 8);
            return type == 0xca ? BitConverter.ToSingle(BitConverter.GetBytes((int)bits), 0) : BitConverter.Int64BitsToDouble(bits);
        }

        public override string Text()
        {
            var type = Take();
            var length = type >= 0xa0 && type <= 0xbf ? type & 0x1f
                : type == 0xd9 ? Big(1)
                : type == 0xda ? Big(2)
                : type == 0xdb ? Big(4)
                : -1;
            if (length < 0)
            {
                throw Bad("there is no text");
            }
            Need(length);
            At += (int)length;
            return Texts.Of(Bytes, At - (int)length, (int)length);
        }

        private long Integer()
        {
            var type = Take();
            if (type <= 0x7f) return type;
            if (type >= 0xe0) return (sbyte)type;
            switch (type)
            {
                case 0xcc: return Big(1);
                case 0xcd: return Big(2);
                case 0xce: return Big(4);
                case 0xcf:
                    var whole = Big(8);
                    // From 2^63 on, which is beyond what is taken in any case.
                    return whole < 0 ? long.MaxValue : whole;
                case 0xd0: return (sbyte)Big(1);
                case 0xd1: return (short)Big(2);
                case 0xd2: return (int)Big(4);
                case 0xd3: return Big(8);
                default: throw Bad("there is no number");
            }
        }

        private void Open(int few, int many, string why)
        {
            var type = Take();
            var length = type >= few && type < few + 16 ? type & 0x0f : type == many ? Big(2) : type == many + 1 ? Big(4) : -1;
            if (length < 0)
            {
                throw Bad(why);
            }
            // Each has a byte at least: what says it has more than there are is not believed.
            Need(length);
            Deeper();
            left[Depth] = length;
        }

        /// <summary>So many bytes as one number, the highest first.</summary>
        private long Big(int count)
        {
            Need(count);
            var whole = 0L;
            for (var place = 0; place < count; place += 1)
            {
                whole = (whole << 8) | Bytes[At + place];
            }
            At += count;
            return whole;
        }

        private int Peek()
        {
            Need(1);
            return Bytes[At];
        }

        private int Take()
        {
            Need(1);
            At += 1;
            return Bytes[At - 1];
        }

        private void Need(long count)
        {
            if (count > End - At)
            {
                throw Bad("the message is not whole");
            }
        }
    }
}

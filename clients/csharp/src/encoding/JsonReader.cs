using System;
using System.Globalization;
using System.Text;

namespace Tiltyard
{
    /// <summary>Reads JSON (RFC 8259) in UTF-8.</summary>
    internal sealed class JsonReader : Reader
    {
        /// <summary>Whether a list or map was opened and nothing of it read, so that no comma is due.</summary>
        private bool fresh;

        public override Kind Next
        {
            get
            {
                switch (Peek())
                {
                    case 'n': return Kind.Null;
                    case 't':
                    case 'f': return Kind.Flag;
                    case '"': return Kind.Text;
                    case '[': return Kind.List;
                    case '{': return Kind.Map;
                    default: return Kind.Number;
                }
            }
        }

        public override bool AtEnd
        {
            get
            {
                Space();
                return At == End;
            }
        }

        public override void Return(int mark, int depth)
        {
            base.Return(mark, depth);
            fresh = false;
        }

        public override void OpenMap()
        {
            Open('{');
        }

        public override void OpenList()
        {
            Open('[');
        }

        public override bool Key(out string key)
        {
            if (!More('}'))
            {
                key = null;
                return false;
            }
            key = Text();
            Take(':');
            return true;
        }

        public override bool Item()
        {
            return More(']');
        }

        public override void Null()
        {
            Word("null");
        }

        public override bool Flag()
        {
            var yes = Peek() == 't';
            Word(yes ? "true" : "false");
            return yes;
        }

        public override long Whole()
        {
            // As nearly all numbers are: a few digits and nothing else.
            var negative = Peek() == '-';
            var place = negative ? At + 1 : At;
            var first = place;
            var whole = 0L;
            while (place < End && place < first + 16 && Bytes[place] >= '0' && Bytes[place] <= '9')
            {
                whole = whole * 10 + (Bytes[place] - '0');
                place += 1;
            }
            if (place == first || place == End || Bytes[place] != ',' && Bytes[place] != '}' && Bytes[place] != ']')
            {
                return base.Whole();
            }
            if (Bytes[first] == '0' && place > first + 1)
            {
                throw Bad("a number begins with 0");
            }
            if (whole > WholeMax)
            {
                throw Bad("a number is beyond 2^53");
            }
            At = place;
            return negative ? -whole : whole;
        }

        public override double Number()
        {
            Space();
            var from = At;
            Pass('-');
            if (!Pass('0') && !Digits())
            {
                throw Bad("there is no value");
            }
            var fits = !Pass('.') || Digits();
            if (Pass('e') || Pass('E'))
            {
                if (!Pass('+')) Pass('-');
                fits &= Digits();
            }
            double number;
            var text = Encoding.ASCII.GetString(Bytes, from, At - from);
            fits = double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out number) && fits;
            if (!fits || double.IsInfinity(number))
            {
                throw Bad("a number is none");
            }
            return number;
        }

        public override string Text()
        {
            Take('"');
            var from = At;
            while (At < End && Bytes[At] != '"' && Bytes[At] != '\\' && Bytes[At] >= ' ') At += 1;
            if (At < End && Bytes[At] == '"')
            {
                At += 1;
                return Texts.Of(Bytes, from, At - 1 - from);
            }
            var text = new StringBuilder();
            while (true)
            {
                text.Append(Texts.Of(Bytes, from, At - from));
                if (At >= End || Bytes[At] < ' ')
                {
                    throw Bad("a text does not end");
                }
                At += 1;
                if (Bytes[At - 1] == '"')
                {
                    return text.ToString();
                }
                Escaped(text);
                from = At;
                while (At < End && Bytes[At] != '"' && Bytes[At] != '\\' && Bytes[At] >= ' ') At += 1;
            }
        }

        private void Escaped(StringBuilder text)
        {
            var place = At < End ? "\"\\/bfnrt".IndexOf((char)Bytes[At]) : -1;
            if (place >= 0)
            {
                At += 1;
                text.Append("\"\\/\b\f\n\r\t"[place]);
                return;
            }
            var one = Unit();
            text.Append(one);
            if (char.IsHighSurrogate(one) && At < End && Pass('\\'))
            {
                var other = Unit();
                text.Append(other);
                if (char.IsLowSurrogate(other))
                {
                    return;
                }
            }
            if (char.IsSurrogate(one))
            {
                throw Bad("half a character is escaped");
            }
        }

        /// <summary>The rest of an escape by number.</summary>
        private char Unit()
        {
            if (!Pass('u') || End - At < 4)
            {
                throw Bad("an escape is none");
            }
            var unit = 0;
            for (var count = 0; count < 4; count += 1, At += 1)
            {
                var digit = "0123456789abcdef".IndexOf(char.ToLowerInvariant((char)Bytes[At]));
                if (digit < 0)
                {
                    throw Bad("an escape is none");
                }
                unit = unit * 16 + digit;
            }
            return (char)unit;
        }

        private void Open(char bracket)
        {
            Take(bracket);
            Deeper();
            fresh = true;
        }

        private bool More(char bracket)
        {
            if (Peek() == bracket)
            {
                At += 1;
                Depth -= 1;
                fresh = false;
                return false;
            }
            if (!fresh)
            {
                Take(',');
            }
            fresh = false;
            return true;
        }

        private bool Digits()
        {
            var from = At;
            while (At < End && Bytes[At] >= '0' && Bytes[At] <= '9') At += 1;
            return At > from;
        }

        private void Word(string word)
        {
            Space();
            foreach (var letter in word)
            {
                if (!Pass(letter))
                {
                    throw Bad("there is no value");
                }
            }
        }

        private char Peek()
        {
            Space();
            if (At == End)
            {
                throw Bad("the message is not whole");
            }
            return (char)Bytes[At];
        }

        private void Take(char wanted)
        {
            Space();
            if (!Pass(wanted))
            {
                throw Bad("there is no " + wanted);
            }
        }

        private bool Pass(char wanted)
        {
            if (At < End && Bytes[At] == wanted)
            {
                At += 1;
                return true;
            }
            return false;
        }

        private void Space()
        {
            while (At < End && (Bytes[At] == ' ' || Bytes[At] == '\n' || Bytes[At] == '\r' || Bytes[At] == '\t')) At += 1;
        }
    }
}

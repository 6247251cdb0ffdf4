using System;
using System.Globalization;
using System.Text;

namespace Tiltyard
{
    /// <summary>Writes JSON in UTF-8.</summary>
    internal sealed class JsonWriter : Writer
    {
        /// <summary>
        /// Whether the next key or value is the first after a bracket or a colon, so that no comma goes before it.
        /// </summary>
        private bool first = true;

        public override void Begin()
        {
            base.Begin();
            first = true;
        }

        public override void OpenMap(int fields)
        {
            Open('{');
        }

        public override void CloseMap()
        {
            Close('}');
        }

        public override void OpenList(int items)
        {
            Open('[');
        }

        public override void CloseList()
        {
            Close(']');
        }

        public override void Key(string key)
        {
            Text(key);
            Put(':');
            first = true;
        }

        public override void Null()
        {
            Word("null");
        }

        public override void Flag(bool value)
        {
            Word(value ? "true" : "false");
        }

        public override void Whole(long value)
        {
            Word(value.ToString(CultureInfo.InvariantCulture));
        }

        public override void Number(double value)
        {
            if (double.IsNaN(value) || double.IsInfinity(value))
            {
                throw new ArgumentException("JSON has no number that is none");
            }
            Word(value.ToString("R", CultureInfo.InvariantCulture));
        }

        public override void Text(string value)
        {
            Comma();
            Put('"');
            var plain = 0;
            for (var place = 0; place < value.Length; place += 1)
            {
                var letter = value[place];
                if (letter < ' ' || letter == '"' || letter == '\\')
                {
                    Raw(value.Substring(plain, place - plain));
                    Raw(letter < ' ' ? "\\u" + ((int)letter).ToString("x4", CultureInfo.InvariantCulture) : "\\" + letter);
                    plain = place + 1;
                }
            }
            Raw(plain == 0 ? value : value.Substring(plain));
            Put('"');
        }

        private void Open(char bracket)
        {
            Comma();
            Put(bracket);
            first = true;
        }

        private void Close(char bracket)
        {
            Put(bracket);
            first = false;
        }

        private void Word(string word)
        {
            Comma();
            Raw(word);
        }

        private void Comma()
        {
            if (!first)
            {
                Put(',');
            }
            first = false;
        }

        private void Raw(string text)
        {
            var utf8 = Encoding.UTF8.GetBytes(text);
            Put(utf8, utf8.Length);
        }
    }
}

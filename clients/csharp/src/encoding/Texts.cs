using System;
using System.Text;

namespace Tiltyard
{
    /// <summary>
    /// Texts that came before, so that the names of fields and players are not made anew with every message. It holds a bounded
    /// number: one that falls on the place of another takes it.
    /// </summary>
    internal sealed class Texts
    {
        private const int PlacesMax = 512;
        private const int LengthMax = 40;
        private static readonly UTF8Encoding Utf8 = new UTF8Encoding(false, true);
        private readonly string[] places = new string[PlacesMax];

        /// <summary>The text in these bytes; throws where they are not UTF-8.</summary>
        public string Of(byte[] bytes, int from, int count)
        {
            if (count > LengthMax)
            {
                return Decode(bytes, from, count);
            }
            var hash = 2166136261u;
            for (var place = from; place < from + count; place += 1)
            {
                hash = (hash ^ bytes[place]) * 16777619u;
            }
            var slot = (int)((hash ^ (hash >> 15)) % PlacesMax);
            var known = places[slot];
            if (known != null && Same(known, bytes, from, count))
            {
                return known;
            }
            return places[slot] = Decode(bytes, from, count);
        }

        /// <summary>Only texts of plain ASCII are ever the same: their characters are their bytes.</summary>
        private static bool Same(string known, byte[] bytes, int from, int count)
        {
            if (known.Length != count)
            {
                return false;
            }
            for (var place = 0; place < count; place += 1)
            {
                if (known[place] != bytes[from + place] || bytes[from + place] > 127)
                {
                    return false;
                }
            }
            return true;
        }

        private static string Decode(byte[] bytes, int from, int count)
        {
            try
            {
                return Utf8.GetString(bytes, from, count);
            }
            catch (ArgumentException)
            {
                throw new FormatException("a text is not UTF-8");
            }
        }
    }
}

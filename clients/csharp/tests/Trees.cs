using System;
using System.Collections;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using Map = System.Collections.Generic.Dictionary<string, object>;

namespace Tiltyard.Tests
{
    /// <summary>
    /// What JSON holds, as the client's own reader makes it, and the client's objects in the same form.
    /// </summary>
    internal static class Trees
    {
        public static Map Read(string file)
        {
            var reader = new JsonReader();
            reader.Load(new ArraySegment<byte>(File.ReadAllBytes(file)));
            var tree = (Map)reader.Tree();
            Check.That(reader.AtEnd, file + " goes on behind its end");
            return tree;
        }

        public static Map Map(this Map map, string field)
        {
            return (Map)map[field];
        }

        public static List<object> List(this Map map, string field)
        {
            object list;
            return map.TryGetValue(field, out list) ? (List<object>)list : new List<object>();
        }

        public static string Text(this Map map, string field)
        {
            object text;
            return map.TryGetValue(field, out text) ? (string)text : null;
        }

        public static int Int(this Map map, string field)
        {
            return (int)(long)map[field];
        }

        /// <summary>Whether <paramref name="value"/> has everything that <paramref name="wanted"/> names.</summary>
        public static bool Fits(object value, object wanted)
        {
            var map = wanted as Map;
            if (map != null)
            {
                var has = value as Map;
                return has != null && map.All(field => has.ContainsKey(field.Key) ? Fits(has[field.Key], field.Value) : field.Value == null);
            }
            var list = wanted as List<object>;
            if (list != null)
            {
                var has = value as List<object>;
                return has != null && has.Count == list.Count && list.Select((item, place) => Fits(has[place], item)).All(fits => fits);
            }
            return Equals(value, wanted);
        }

        /// <summary>Whether both are the same all through.</summary>
        public static bool Same(object one, object other)
        {
            return Fits(one, other) && Fits(other, one);
        }

        /// <summary>
        /// What the client tells, by the names of the wire: <c>RetryMs</c> is <c>retry_ms</c>, and what is <c>null</c> is absent.
        /// </summary>
        public static object Of(object value)
        {
            if (value == null || value is bool || value is string) return value;
            if (value is int || value is long || value is uint) return Convert.ToInt64(value, CultureInfo.InvariantCulture);
            if (value is double) return value;
            if (value is Enum) return value.ToString().ToLowerInvariant();
            if (value is Map) return ((Map)value).ToDictionary(field => field.Key, field => Of(field.Value));
            if (value is View) return OfView((View)value);
            if (value is IEnumerable && !(value is IDictionary)) return ((IEnumerable)value).Cast<object>().Select(Of).ToList();
            var map = new Map();
            foreach (var property in value.GetType().GetProperties().Where(property => property.DeclaringType.Assembly == typeof(View).Assembly))
            {
                var field = Of(property.GetValue(value, null));
                if (field != null) map[Snake(property.Name)] = field;
            }
            return map;
        }

        /// <summary>The view as the wire has it.</summary>
        public static Map OfView(View view)
        {
            var phase = (Map)Of(view.Phase);
            phase["phase"] = phase["name"];
            phase.Remove("name");
            phase["wins"] = view.Phase.Wins.Select(wins => Numbers(wins.Team, wins.Rounds)).ToList();
            return Bare(new Map
            {
                { "phase", phase },
                { "seats", (long)view.Seats },
                { "participants", view.Participants.Select(OfParticipant).ToList() },
                { "covers", Of(view.Covers) },
                { "hazards", view.Hazards.Select(hazard => Numbers(hazard.Health, hazard.Gone)).ToList() },
                { "modifiers", Of(view.Modifiers) },
            });
        }

        /// <summary>A view without what is as good as absent.</summary>
        public static Map Bare(Map view)
        {
            var bare = new Map(view);
            bare["phase"] = Without(view.Map("phase"), "round", "wins");
            bare["participants"] = view.List("participants").Select(who => (object)Without((Map)who, "hidden", "f", "vx", "vy")).ToList();
            return bare;
        }

        private static Map Without(Map map, params string[] fields)
        {
            return map.Where(field => !fields.Contains(field.Key) || !Empty(field.Value)).ToDictionary(field => field.Key, field => field.Value);
        }

        private static bool Empty(object value)
        {
            return Equals(value, 0L) || Equals(value, false) || value is List<object> && ((List<object>)value).Count == 0;
        }

        private static object OfParticipant(Participant who)
        {
            var map = (Map)Of(who);
            map["effects"] = who.Effects.Select(stack => Numbers(stack.Of, stack.Count, stack.Until)).ToList();
            map["used"] = who.Used.Select(stack => Numbers(stack.Of, stack.Count, stack.Until)).ToList();
            map["cast"] = who.Cast.HasValue ? Numbers(who.Cast.Value.Ability, who.Cast.Value.Until) : new List<object>();
            return map;
        }

        private static object Numbers(params long[] numbers)
        {
            return numbers.Cast<object>().ToList();
        }

        private static string Snake(string name)
        {
            var snake = new StringBuilder();
            foreach (var letter in name)
            {
                if (char.IsUpper(letter) && snake.Length > 0) snake.Append('_');
                snake.Append(char.ToLowerInvariant(letter));
            }
            return snake.ToString();
        }

        public static string Write(object tree)
        {
            var writer = new JsonWriter();
            writer.Begin();
            writer.Tree(tree);
            return Encoding.UTF8.GetString(writer.Written.Array, 0, writer.Written.Count);
        }
    }
}
